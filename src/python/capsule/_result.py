"""How a run ended."""


class Result(dict):
    """The envelope of a run, as `capsule-run --json` prints it: a dictionary, with the usual parts as attributes."""

    __slots__ = ()

    @property
    def success(self):
        return self["success"]

    @property
    def error(self):
        """None, or error_type and message."""
        return self["error"]

    @property
    def stdout(self):
        return self.get("stdout", "")

    @property
    def stderr(self):
        return self.get("stderr", "")

    @property
    def verdict(self):
        return self.get("verdict")

    @property
    def value(self):
        """What the task returned; raises TaskError, which holds the verdict, when it did not succeed."""
        if not self["success"]:
            from ._errors import error_of

            raise error_of(self)
        return self["result"]


Result.__module__ = "capsule"
