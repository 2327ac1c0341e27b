capsule-run-profile 1
# For code that nobody has read and that needs little: small limits, and a minute.

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
