"""What goes wrong with tasks."""


class CapsuleError(Exception):
    """A task could not be called, or what it was given or returned can't be passed on."""


CapsuleError.__module__ = "capsule"
