"""Tasks as functions, run by capsule-run.

    from capsule import task

    @task(name="main", compute="LOW", ram="64MB", timeout="30s")
    def main(name="world"):
        return {"hello": name}

`capsule-run FILE.py [ARG]...` reads what the tasks of the file ask for, holds it against what the command line
allows, and calls the entry: the task named main, else the function main(), else the first task. Outside of
capsule-run a task is the function that it was, and starts a sandbox when asked to:

    main.call("Ada")            # its value, or TaskError, which holds the verdict
    main.run("Ada")             # how it ended, success or failure; run_async and call_async for asyncio
    capsule.run("FILE.py", ["Ada"], ram="1G")

See capsule-run-tasks(7).
"""
from ._task import task

__all__ = ["CapsuleError", "DeniedError", "LimitError", "NotInstalledError", "Result", "SandboxError", "TaskError",
           "configure", "run", "run_async", "task"]

# What a task does not need is not imported: its start is what a caller waits for.
_LAZY = {"configure": "_host", "run": "_host", "run_async": "_host", "Result": "_result"}
_LAZY.update((name, "_errors") for name in __all__ if name.endswith("Error"))


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError("module 'capsule' has no attribute %r" % name)
    from importlib import import_module

    value = getattr(import_module("." + _LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(_LAZY))
