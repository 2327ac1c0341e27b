capsule-run-profile 1
# For a step of continuous integration: builds and test suites, an hour at most.

# Compilers, linkers and parallel tests.
ram = 4G
pids = 1024
# What hangs must not hold a runner until the service's own limit, which is often six hours.
timeout = 1h
# Test runners write their report when they are told to end.
grace = 10s
# Build trees, wheels, coverage data.
fsize = 4G
disk = 8G
inodes = 200000
# A verbose build is long, and its log is what one reads when it fails.
output = 64M
