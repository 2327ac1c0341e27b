# First on the module path of a Python task: lets capsule-run ask it for its stacks when its time is over. It takes back
# what brought it here, and leaves a signal's handler and a descriptor to write to, which its children that exec lose.
# Every start runs this: bytecode.inc holds it compiled (make update-bytecode).
import os
import sys

try:
    del sys.modules["sitecustomize"]
    place, _, rest = os.environ.pop("PYTHONPATH").partition(":")
    if rest:
        os.environ["PYTHONPATH"] = rest
    sys.path.remove(place)
    del sys.path_importer_cache[place]
    # The highest number that select() takes: no program counts on it. run/stacks.c knows it, too.
    number = min(os.sysconf("SC_OPEN_MAX"), 1024) - 1
    fd = os.open(place + "/stacks", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.dup2(fd, number, False)
    os.close(fd)
    loaded = "faulthandler" in sys.modules
    import faulthandler

    faulthandler.register(64, number)
    if not loaded:
        del sys.modules["faulthandler"]
except Exception:  # Without its stacks a task runs as well.
    pass
# The one that it stood in front of. Without any the error is site's to expect.
import sitecustomize
