capsule-run-profile 1
# For code that nobody has read and that needs little: less to see, fewer calls, small limits, a minute.

ram = 512M
# Python, a few threads, a subprocess or two.
pids = 64
# Somebody is waiting for the answer.
timeout = 60s
# Python itself opens a dozen files.
nofile = 256
# An answer is small; a log that is not is a loop.
output = 4M
disk = 256M
inodes = 5000

# Python's own files and the libraries that they need: no shell, no compiler, no other program.
runtime = closure
# No TCP or UDP, not even on loopback, no pseudo-terminals, no inotify.
filter = strict
