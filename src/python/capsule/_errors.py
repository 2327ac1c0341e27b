"""What goes wrong with tasks."""


class CapsuleError(Exception):
    """A task could not be called, or what it was given or returned can't be passed on."""


class NotInstalledError(CapsuleError):
    """There is no capsule-run to start."""


class TaskError(CapsuleError):
    """A task did not succeed. `result` is all that is known of the run."""

    def __init__(self, result):
        error = result["error"] or {}
        super().__init__("%s: %s" % (error.get("error_type"), error.get("message")))
        self.result = result

    # Exceptions are passed between processes by their arguments.
    def __reduce__(self):
        return type(self), (self.result,)

    @property
    def error_type(self):
        """The kind of failure in one word: task_error, timeout, oom, ..."""
        return self.result["error"]["error_type"]

    @property
    def message(self):
        """What happened, in a sentence; of task_error, the task's own words."""
        return self.result["error"]["message"]

    @property
    def verdict(self):
        """The verdict of capsule-run; None when nothing was started."""
        return self.result.get("verdict")


class LimitError(TaskError):
    """It was ended by a limit: time, CPU time, stall, memory, disk or output."""


class DeniedError(TaskError):
    """It was not started: the options are not understood, or it declares more than they allow."""


class SandboxError(TaskError):
    """capsule-run could not start it, or lost it."""


_KINDS = {"timeout": LimitError, "cpu-time": LimitError, "stall": LimitError, "oom": LimitError, "disk": LimitError,
          "output": LimitError, "usage": DeniedError, "failed": SandboxError}


def error_of(result):
    """The exception that an envelope without success is."""
    return _KINDS.get((result["error"] or {}).get("error_type"), TaskError)(result)


for _class in (CapsuleError, NotInstalledError, TaskError, LimitError, DeniedError, SandboxError):
    _class.__module__ = "capsule"
