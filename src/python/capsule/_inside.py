"""The side of the sandbox: reads a task file, says what it declares, calls its entry, hands over the result.

Started as `python3 /task/.capsule MODE TASK FILE [ARG]...` with a socket to capsule-run as descriptor 3. What goes
over it is {type, length} as two 32-bit little-endian numbers, then so many bytes of JSON. capsule-run takes none of it
for true: this module runs beside the task, which can change it.
"""
import os
import sys

from . import _task
from ._errors import CapsuleError

CHANNEL = 3
RESULT, DECLARATION = 1, 2


def send(kind, text):
    data = text.encode()
    data = memoryview(kind.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data)
    while data:
        data = data[os.write(CHANNEL, data):]


class Backend:
    """Inside, the entry calls the functions of other tasks through capsule-run."""

    gives_envelope = True  # a plain call returns how it ended, success or failure

    def run(self, declared, args, kwargs):
        raise CapsuleError("task %r: tasks can't call tasks yet; call its function: .task.function(...)"
                           % declared.name)

    async def run_async(self, declared, args, kwargs):
        return self.run(declared, args, kwargs)


# -- the file ---------------------------------------------------------------------------------------------------------


def module_name(script):
    """The file's own name where a module may have it."""
    import importlib.util

    stem = os.path.splitext(os.path.basename(script))[0]
    if stem.isidentifier() and stem not in sys.modules and importlib.util.find_spec(stem) is None:
        return stem
    return "capsule_task_file"


def load(script):
    """Imports the file. Not as __main__: what stands below `if __name__ == "__main__"` is for other starts."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    name = module_name(script)
    # Other processes of the task's (multiprocessing) import it by that name. They have nothing else to import there.
    sys.path.append(os.path.dirname(script))
    sys.dont_write_bytecode = True
    module = module_from_spec(spec_from_file_location(name, script, loader=SourceFileLoader(name, script)))
    sys.modules[name] = module
    module.__spec__.loader.exec_module(module)
    return module


def imports_capsule(script):
    """Whether there is an import of capsule anywhere in the file: import statements, __import__("capsule"),
    import_module("capsule")."""
    import _ast

    def is_ours(name):
        return isinstance(name, str) and name.split(".")[0] == "capsule"

    with open(script, "rb") as f:
        stack = [compile(f.read(), script, "exec", 0x400, True)]  # PyCF_ONLY_AST
    while stack:
        node = stack.pop()
        if isinstance(node, _ast.Import) and any(is_ours(alias.name) for alias in node.names):
            return True
        if isinstance(node, _ast.ImportFrom) and node.level == 0 and is_ours(node.module):
            return True
        if isinstance(node, _ast.Call) and node.args and is_ours(getattr(node.args[0], "value", None)):
            if getattr(node.func, "id", getattr(node.func, "attr", None)) in ("__import__", "import_module"):
                return True
        for field in node._fields:
            value = getattr(node, field, None)
            stack.extend(item for item in (value if isinstance(value, list) else [value])
                         if isinstance(item, _ast.AST))
    return False


def find(name):
    for declared in _task.registry:
        if declared.name == name:
            return declared
    return None


def find_entry(module, wanted):
    """What is called, as JSON: the task that was asked for, else the task main, else main(), else the first task."""
    if wanted:
        return {"kind": "task", "name": wanted} if find(wanted) is not None else None
    if find("main") is not None:
        return {"kind": "task", "name": "main"}
    main = getattr(module, "main", None)
    if isinstance(getattr(main, "task", None), _task.Task):
        return {"kind": "task", "name": main.task.name}
    if callable(main):
        return {"kind": "function", "name": "main"}
    return {"kind": "task", "name": _task.registry[0].name} if _task.registry else None


# -- what capsule-run asks for ----------------------------------------------------------------------------------------


def encode(value, what):
    """Strict JSON, whose numbers every reader has."""
    if value is None:
        return "null"
    import json
    import re

    def check(value, path):
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return
        if isinstance(value, int):
            if not -2**63 <= value < 2**63:
                raise CapsuleError("%s: %s is an integer of more than 64 bits; pass it on as a text" % (what, path))
        elif isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                raise CapsuleError("%s: %s is %r, which JSON does not have" % (what, path, value))
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                check(item, "%s[%d]" % (path, i))
        elif isinstance(value, dict):
            seen = set()
            for key, item in value.items():
                text = key if isinstance(key, str) else json.dumps(key) if key is None or isinstance(
                    key, (bool, int, float)) else None
                if text is None:
                    raise CapsuleError("%s: %s has the key %r, which JSON does not have" % (what, path, key))
                if text in seen:
                    raise CapsuleError("%s: %s has two keys that JSON writes as %r" % (what, path, text))
                seen.add(text)
                check(item, "%s[%r]" % (path, key))
        else:
            raise CapsuleError("%s: %s is a %s, which JSON does not have" % (what, path, type(value).__name__))

    text = problem = None
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        # Half of a pair of surrogates is in no text that can be written down.
        if "\\ud" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (RecursionError, TypeError, ValueError) as e:
        problem = str(e)
    if problem is not None or re.search(r"[0-9]{19}", text):
        try:
            check(value, "it")
        except RecursionError:
            pass
    if problem is not None:
        raise CapsuleError("%s: not JSON: %s" % (what, problem))
    return text


def declare(wanted, script):
    if not imports_capsule(script):
        return send(DECLARATION, '{"capsule":false}')
    entry = find_entry(load(script), wanted)
    tasks = []
    for declared in _task.registry:
        if any(other["name"] == declared.name for other in tasks):
            raise CapsuleError("two tasks are named %r" % declared.name)
        tasks.append({"name": declared.name, "options": declared.options})
    send(DECLARATION, encode({"capsule": True, "entry": entry, "tasks": tasks},
                             "what the tasks declare"))


def configure(path):
    """Reads a configuration. Nothing of the task's runs here."""
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib
        except ImportError:
            from pip._vendor import tomli as tomllib

    problem = None
    with open(path, "rb") as f:
        try:
            data = tomllib.load(f)
        except ValueError as e:
            problem = str(e)
    if problem is not None:
        raise CapsuleError("%s: %s" % (os.path.basename(path), problem))
    if os.path.basename(path) == "pyproject.toml":
        data = data.get("tool", {}).get("capsule", {})
    send(DECLARATION, encode(data, "the configuration"))


def run_coroutine(awaitable):
    import asyncio

    async def wait():
        return await awaitable

    return asyncio.run(wait())


def call(mode, name, script, args):
    module = load(script)
    function = getattr(module, name) if mode == "call-function" else find(name).function
    kwargs = {}
    path = os.path.join(os.path.dirname(os.path.dirname(__file__)), "arguments.json")
    if os.path.exists(path):
        import json

        with open(path, "rb") as f:
            given = json.load(f)
        args, kwargs = (given, {}) if isinstance(given, list) else (given.get("args", []), given.get("kwargs", {}))
    _task.backend = Backend()
    result = function(*args, **kwargs)
    if hasattr(result, "__await__"):
        result = run_coroutine(result)
    send(RESULT, encode(result, "the result of %s" % name))


def hide_own_frames(script):
    """A traceback begins with the file, as it would without us."""
    own = os.path.dirname(os.path.dirname(__file__)) + "/"

    def hook(kind, error, tb):
        first = tb
        while first is not None and first.tb_frame.f_code.co_filename != script:
            first = first.tb_next
        # An error of a library's has frames of its own; one of ours needs none.
        if first is None and not all(name.startswith(("<frozen ", own)) for name in file_names(tb)):
            first = tb
        if first is None and not issubclass(kind, SyntaxError):
            print("Traceback (most recent call last):", file=sys.stderr)
        # Given beside the exception it would count only where that has none.
        sys.__excepthook__(kind, error.with_traceback(first), first)

    sys.excepthook = hook


def file_names(tb):
    while tb is not None:
        yield tb.tb_frame.f_code.co_filename
        tb = tb.tb_next


def main():
    mode, wanted, script = sys.argv[1:4]
    args = sys.argv[4:]
    os.set_inheritable(CHANNEL, False)
    sys.argv[:] = [script] + args
    hide_own_frames(script)
    if mode == "config":
        configure(script)
    elif mode == "declare":
        declare(wanted, script)
    else:
        call(mode, wanted, script, args)
