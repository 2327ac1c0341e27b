"""The decorator. Nothing is enforced here: capsule-run reads the options before the task runs, and holds them."""
from functools import update_wrapper

# In the order in which the `capsule` project's decorator takes them.
OPTIONS = ("name", "compute", "ram", "timeout", "max_retries", "allowed_files", "allowed_hosts", "env_variables")

# Every task that was defined, in that order.
registry = []

# Who runs a task in place of the function itself; None: nobody. Set by capsule-run's own side (_inside.py), or by
# configure(sandbox=True).
backend = None

_CO_COROUTINE = 0x80


class Task:
    """A function that was declared a task: its name, and the options that were given, as they were given."""

    def __init__(self, function, name, options):
        self.function, self.name, self.options = function, name, options
        self.is_async = bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & _CO_COROUTINE)

    def __repr__(self):
        return "<task %r>" % self.name


def _sandbox():
    if backend is not None:
        return backend
    from ._host import Backend

    return Backend()


def _make(function, options):
    if not callable(function):
        raise TypeError("@task is for functions, not for %s" % type(function).__name__)
    name = options.pop("name", None)
    if name is None:
        name = getattr(function, "__name__", None)
    if not isinstance(name, str) or not name:
        raise TypeError("@task: name must be a text, not %r" % (name,))
    declared = Task(function, name, options)

    if declared.is_async:
        async def plain(*args, **kwargs):
            if backend is None:
                return await function(*args, **kwargs)
            result = await backend.run_async(declared, args, kwargs)
            return result if backend.gives_envelope else result.value
    else:
        def plain(*args, **kwargs):
            if backend is None:
                return function(*args, **kwargs)
            result = backend.run(declared, args, kwargs)
            return result if backend.gives_envelope else result.value

    def run(*args, **kwargs):
        """Runs the task in a sandbox of its own, and returns how that ended, success or failure."""
        return _sandbox().run(declared, args, kwargs)

    def call(*args, **kwargs):
        """Runs the task in a sandbox of its own, and returns its value; raises TaskError."""
        return run(*args, **kwargs).value

    async def run_async(*args, **kwargs):
        """As run()."""
        return await _sandbox().run_async(declared, args, kwargs)

    async def call_async(*args, **kwargs):
        """As call()."""
        return (await run_async(*args, **kwargs)).value

    update_wrapper(plain, function)
    plain.task = declared
    plain.run, plain.call, plain.run_async, plain.call_async = run, call, run_async, call_async
    registry.append(declared)
    return plain


def task(name=None, compute=None, ram=None, timeout=None, max_retries=None, allowed_files=None, allowed_hosts=None,
         env_variables=None):
    """Declares a function a task of the file. What is left out is as the command line has it.

    name: how the task is called (the function's name)
    compute: CPU time as "LOW" (10 s), "MEDIUM" (1 min), "HIGH" (10 min), or fuel, of which 10,000,000 are a second
    ram: memory, "64MB", "1.5G", or bytes
    timeout: wall-clock time, "500ms", "30s", "1m 30s"
    max_retries: how often it is tried again after a failure
    allowed_files: files and directories below the caller's directory, "./data" or {"path": "./data", "mode": "ro"},
        seen as /data, and as data
    allowed_hosts: hosts that may be connected to, "api.example.com", "*.example.com"
    env_variables: names of variables that are passed on
    """
    # @task without parentheses.
    if callable(name):
        return _make(name, {})
    given = (name, compute, ram, timeout, max_retries, allowed_files, allowed_hosts, env_variables)
    options = {key: value for key, value in zip(OPTIONS, given) if value is not None}
    return lambda function: _make(function, dict(options))
