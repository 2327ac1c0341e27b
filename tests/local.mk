# Tests; included by Makefile.am.

check_PROGRAMS =
EXTRA_DIST += tests/run.py tests/vm/run tests/vm/cells.py tests/vm/guest.py tests/vm/guestcase.py \
	tests/vm/test_cgroups.py tests/vm/test_hosts.py tests/vm/test_memory.py tests/vm/test_slurm.py
include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/functional/local.mk

# make check CHECK_SUITES="unit checks" runs a part.
CHECK_SUITES =
check-local: $(check_PROGRAMS) capsule-run$(EXEEXT)
	$(PYTHON) $(srcdir)/tests/run.py --builddir $(builddir) --srcdir $(srcdir) $(CHECK_SUITES)
