capsule-run-profile 1
# The values that hold without any profile: a program's worth of everything, bounded.

# Numbers, pandas and a test suite fit; what leaks ends soon. Swap is off, so this is all there is.
ram = 1G
# Open: above it a task is to do with less, and how much less is up to it.
ram-soft = unlimited
# Thread pools of NumPy and compilers on a large machine; a fork bomb ends at once.
pids = 256
# Open: a task that computes is what one wants; the wall clock ends what hangs.
cpu = unlimited
io-read-bps = unlimited
io-write-bps = unlimited
cpu-time = unlimited
compute = unlimited
# Long enough for a real job, short enough that a forgotten one is not there tomorrow.
timeout = 10m
# Open: to wait is no failure, unless somebody says so.
stall = unlimited
# After SIGTERM: time to write a last line.
grace = 1s
# The soft limit that most programs are used to.
nofile = 1024
fsize = 1G
# For each stream. More is a loop that prints.
output = 16M
# What was printed first, at once: tail and both wait for the end.
output-keep = head
# What the task may leave behind on the host's disk.
disk = 1G
inodes = 20000

# One directory for all tasks; fresh = yes keeps nothing.
dir = /tmp/agent_sandbox
fresh = no
# All of /usr, so that a task can use the programs that are installed.
runtime = system
# Everything that programs need, and nothing that leads out.
filter = default
# Standard input is relayed as far as the task reads it.
no-stdin = no
# Colour and cursor movement reach a terminal; what acts on it does not.
raw-terminal = no
# One attempt: whether a task can be run twice is its owner's to say.
max-retries = 0
retry-on = failure
retry-delay = 1s
summary = no
timeline = no
quiet = no
verbose = no
