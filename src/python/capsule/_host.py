"""The caller's side: starts capsule-run from an ordinary Python program."""
import json
import os
import shutil
import subprocess

from . import _task
from ._errors import CapsuleError, NotInstalledError
from ._result import Result

_configured = {"executable": None, "options": {}}


def configure(*, sandbox=None, executable=None, **options):
    """Sets what later runs begin with.

    sandbox: True: calling a task's function runs it in a sandbox, and returns its value; False: as it is
    executable: the path of capsule-run (else $CAPSULE_RUN, else the first on PATH)
    options: those of capsule-run, as for run()
    """
    if sandbox is not None:
        _task.backend = Backend() if sandbox else None
    if executable is not None:
        _configured["executable"] = os.fspath(executable)
    _configured["options"].update(options)


def find_executable():
    path = _configured["executable"] or os.environ.get("CAPSULE_RUN") or shutil.which("capsule-run")
    if not path:
        raise NotInstalledError("capsule-run is not on PATH: install it, or name it by capsule.configure(executable=...)")
    return path


def option_words(options):
    """ram="1G" is --ram=1G, accept_declared=True is --accept-declared, env=["A", "B=1"] is --env=A --env=B=1."""
    words = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(option)
        elif isinstance(value, (list, tuple)):
            words.extend("%s=%s" % (option, os.fspath(item)) for item in value)
        elif isinstance(value, (str, os.PathLike)):
            words.append("%s=%s" % (option, os.fspath(value)))
        elif isinstance(value, (int, float)):
            words.append("%s=%s" % (option, value))
        else:
            raise TypeError("%s: an option is a text, a number, a boolean or a list, not %s"
                            % (name, type(value).__name__))
    return words


class Call:
    """One start of capsule-run: its command line, and a descriptor with the arguments, to be closed."""

    def __init__(self, file, args, kwargs, task, options):
        options = dict(_configured["options"], **options)
        # The start begins when all of it is understood.
        words = option_words({name: value for name, value in options.items() if name not in ("json", "quiet")})
        given = json.dumps({"args": list(args), "kwargs": dict(kwargs or {})}, allow_nan=False).encode()
        self.argv = [find_executable(), "--json", "--quiet"] + words
        self.fd = os.memfd_create("capsule-arguments")
        with open(self.fd, "wb", closefd=False) as f:
            f.write(given)
        self.argv.append("--args-file=/dev/fd/%d" % self.fd)
        if task is not None:
            self.argv.append("--task=" + task)
        self.argv += ["--", os.fspath(file)]

    def close(self):
        os.close(self.fd)

    def result(self, out, err, status):
        """The envelope, which is all that capsule-run prints on standard output."""
        try:
            envelope = json.loads(out.decode())
            if not isinstance(envelope["success"], bool):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise CapsuleError("%s ended with status %s and no result: %s"
                               % (self.argv[0], status, err.decode("utf-8", "replace").strip()[-2000:])) from None
        return Result(envelope)


def run(file, args=(), kwargs=None, *, task=None, input=None, cwd=None, check=False, **options):
    """Runs a task file in a sandbox, and returns how that ended.

    file: its path
    args, kwargs: what its entry is called with; JSON
    task: which of its tasks (else main, else main(), else the first)
    input: bytes or text for its standard input; else that is empty
    cwd: the directory in which capsule-run is started, below which allowed_files lie
    check: raise TaskError when it did not succeed
    options: those of capsule-run, with _ for -: ram="1G", timeout="30s", accept_declared=True, env=["NAME"], ...
    """
    call = Call(file, args, kwargs, task, options)
    try:
        done = subprocess.run(call.argv, input=input.encode() if isinstance(input, str) else input,
                              stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=cwd, pass_fds=(call.fd,), check=False)
    except FileNotFoundError as e:
        raise NotInstalledError("can't start %s: %s" % (call.argv[0], e.strerror)) from None
    finally:
        call.close()
    result = call.result(done.stdout, done.stderr, done.returncode)
    if check:
        result.value  # raises
    return result


async def run_async(file, args=(), kwargs=None, *, task=None, input=None, cwd=None, check=False, **options):
    """As run(). When it is cancelled, the sandbox ends."""
    import asyncio

    call = Call(file, args, kwargs, task, options)
    try:
        process = await asyncio.create_subprocess_exec(
            *call.argv, stdin=asyncio.subprocess.DEVNULL if input is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=cwd, pass_fds=(call.fd,))
    except FileNotFoundError as e:
        raise NotInstalledError("can't start %s: %s" % (call.argv[0], e.strerror)) from None
    finally:
        call.close()
    try:
        out, err = await process.communicate(input.encode() if isinstance(input, str) else input)
    except BaseException:
        # Nothing of it outlives the supervisor.
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.wait())
        raise
    result = call.result(out, err, process.returncode)
    if check:
        result.value  # raises
    return result


def source_of(declared):
    """The file that holds a task's function."""
    code = getattr(declared.function, "__code__", None)
    path = os.path.abspath(code.co_filename) if code is not None else ""
    if not os.path.isfile(path):
        raise CapsuleError("task %r: its source is no file, and can't be run in a sandbox" % declared.name)
    return path


class Backend:
    """Runs the file of a task in a sandbox of its own for each call."""

    gives_envelope = False  # a plain call returns the value

    def run(self, declared, args, kwargs):
        return run(source_of(declared), args, kwargs, task=declared.name)

    async def run_async(self, declared, args, kwargs):
        return await run_async(source_of(declared), args, kwargs, task=declared.name)

