# Unit tests: one program for each module, built by `make check`.
EXTRA_DIST += tests/checks/drift tests/checks/hardening tests/checks/layering
check_LIBRARIES =

if HAVE_CMOCKA
AM_CPPFLAGS += $(CMOCKA_CFLAGS) $(SECCOMP_CFLAGS)

check_LIBRARIES += tests/unit/libunit.a
tests_unit_libunit_a_SOURCES = tests/unit/unit.c tests/unit/unit.h

unit_libs = tests/unit/libunit.a libcapsule.a $(CMOCKA_LIBS)

check_PROGRAMS += \
	tests/unit/test_advice \
	tests/unit/test_cgroup \
	tests/unit/test_channel \
	tests/unit/test_cli \
	tests/unit/test_error \
	tests/unit/test_filter \
	tests/unit/test_hint \
	tests/unit/test_interpreter \
	tests/unit/test_layer \
	tests/unit/test_option \
	tests/unit/test_policy \
	tests/unit/test_relay \
	tests/unit/test_scope \
	tests/unit/test_strlist \
	tests/unit/test_tail \
	tests/unit/test_text \
	tests/unit/test_traceback \
	tests/unit/test_usage \
	tests/unit/test_verdict

tests_unit_test_advice_LDADD = $(unit_libs)
tests_unit_test_cgroup_LDADD = $(unit_libs)
tests_unit_test_cgroup_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mkdirat,--wrap=unlinkat,--wrap=fd_write_file_at,--wrap=fgetxattr
tests_unit_test_channel_LDADD = $(unit_libs)
tests_unit_test_cli_LDADD = $(unit_libs)
tests_unit_test_error_LDADD = $(unit_libs)
tests_unit_test_filter_LDADD = $(CMOCKA_LIBS) $(SECCOMP_LIBS)
tests_unit_test_hint_LDADD = $(unit_libs)
tests_unit_test_hint_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fd_read_u64_at,--wrap=access
tests_unit_test_interpreter_LDADD = $(unit_libs)
tests_unit_test_layer_LDADD = $(unit_libs)
tests_unit_test_option_LDADD = $(unit_libs)
tests_unit_test_policy_LDADD = $(unit_libs)
tests_unit_test_relay_LDADD = $(unit_libs)
tests_unit_test_scope_LDADD = $(unit_libs)
tests_unit_test_strlist_LDADD = $(unit_libs)
tests_unit_test_tail_LDADD = $(unit_libs)
tests_unit_test_text_LDADD = $(unit_libs)
tests_unit_test_traceback_LDADD = $(unit_libs)
tests_unit_test_usage_LDADD = $(unit_libs)
tests_unit_test_verdict_LDADD = $(unit_libs) $(JANSSON_LIBS)
endif
