# Unit tests: one program for each module, built by `make check`.
EXTRA_DIST += tests/checks/drift tests/checks/hardening tests/checks/layering tests/checks/manual

# What tests/checks/drift reads; `make update-docs` too.
check_PROGRAMS += man/mkoptions
man_mkoptions_SOURCES = man/mkoptions.c
man_mkoptions_LDADD = libcapsule.a
check_LIBRARIES =

if HAVE_CMOCKA
AM_CPPFLAGS += $(CMOCKA_CFLAGS) $(SECCOMP_CFLAGS)

check_LIBRARIES += tests/unit/libunit.a
tests_unit_libunit_a_SOURCES = tests/unit/unit.c tests/unit/unit.h tests/unit/elfmake.c tests/unit/elfmake.h

unit_libs = tests/unit/libunit.a libcapsule.a $(CMOCKA_LIBS)

check_PROGRAMS += \
	tests/unit/test_account \
	tests/unit/test_advice \
	tests/unit/test_answer \
	tests/unit/test_allow \
	tests/unit/test_attempt \
	tests/unit/test_capture \
	tests/unit/test_cgroup \
	tests/unit/test_channel \
	tests/unit/test_cli \
	tests/unit/test_closure \
	tests/unit/test_declared \
	tests/unit/test_disk \
	tests/unit/test_elf \
	tests/unit/test_error \
	tests/unit/test_filter \
	tests/unit/test_hint \
	tests/unit/test_host \
	tests/unit/test_http \
	tests/unit/test_interpreter \
	tests/unit/test_keep \
	tests/unit/test_layer \
	tests/unit/test_ldcache \
	tests/unit/test_modules \
	tests/unit/test_option \
	tests/unit/test_path \
	tests/unit/test_policy \
	tests/unit/test_probe \
	tests/unit/test_profile \
	tests/unit/test_refusal \
	tests/unit/test_relay \
	tests/unit/test_report \
	tests/unit/test_scope \
	tests/unit/test_scrub \
	tests/unit/test_soft \
	tests/unit/test_stacks \
	tests/unit/test_strlist \
	tests/unit/test_suggest \
	tests/unit/test_tail \
	tests/unit/test_taskfile \
	tests/unit/test_text \
	tests/unit/test_timeline \
	tests/unit/test_traceback \
	tests/unit/test_usage \
	tests/unit/test_venv \
	tests/unit/test_verdict \
	tests/unit/test_view

tests_unit_test_advice_LDADD = $(unit_libs) $(JANSSON_LIBS)
tests_unit_test_answer_LDADD = $(unit_libs) $(JANSSON_LIBS)
tests_unit_test_declared_LDADD = $(unit_libs) $(JANSSON_LIBS)
tests_unit_test_taskfile_LDADD = $(unit_libs)
tests_unit_test_allow_LDADD = $(unit_libs)
tests_unit_test_http_LDADD = $(unit_libs)
tests_unit_test_attempt_LDADD = $(unit_libs) $(NL_LIBS) $(CAP_LIBS) $(JANSSON_LIBS)
tests_unit_test_cgroup_LDADD = $(unit_libs)
tests_unit_test_cgroup_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mkdirat,--wrap=unlinkat,--wrap=fd_write_file_at,--wrap=fgetxattr
tests_unit_test_channel_LDADD = $(unit_libs)
tests_unit_test_cli_LDADD = $(unit_libs)
tests_unit_test_closure_LDADD = $(unit_libs)
tests_unit_test_disk_LDADD = $(unit_libs)
tests_unit_test_elf_LDADD = $(unit_libs)
tests_unit_test_error_LDADD = $(unit_libs)
tests_unit_test_filter_LDADD = $(CMOCKA_LIBS) $(SECCOMP_LIBS)
tests_unit_test_hint_LDADD = $(unit_libs)
tests_unit_test_hint_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=host_container,--wrap=host_sysctl_is,--wrap=host_in_chroot,--wrap=host_is_filtered \
	-Wl,--wrap=host_in_capsule,--wrap=host_is_confined,--wrap=host_on_github,--wrap=host_in_unit \
	-Wl,--wrap=host_has_capability,--wrap=host_user_bus \
	-Wl,--wrap=geteuid,--wrap=access
tests_unit_test_host_LDADD = $(unit_libs) $(CAP_LIBS)
tests_unit_test_host_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=access,--wrap=fd_read_file_at
tests_unit_test_probe_LDADD = $(unit_libs)
tests_unit_test_interpreter_LDADD = $(unit_libs)
tests_unit_test_capture_LDADD = $(unit_libs)
tests_unit_test_account_LDADD = $(unit_libs)
tests_unit_test_keep_LDADD = $(unit_libs)
tests_unit_test_layer_LDADD = $(unit_libs)
tests_unit_test_ldcache_LDADD = $(unit_libs)
tests_unit_test_modules_LDADD = $(unit_libs)
tests_unit_test_option_LDADD = $(unit_libs)
tests_unit_test_path_LDADD = $(unit_libs)
tests_unit_test_policy_LDADD = $(unit_libs)
tests_unit_test_profile_LDADD = $(unit_libs)
tests_unit_test_refusal_LDADD = $(unit_libs)
tests_unit_test_relay_LDADD = $(unit_libs)
tests_unit_test_report_LDADD = $(unit_libs) $(CAP_LIBS) $(JANSSON_LIBS)
tests_unit_test_scrub_LDADD = $(unit_libs)
tests_unit_test_scope_LDADD = $(unit_libs)
tests_unit_test_soft_LDADD = $(unit_libs) $(NL_LIBS) $(CAP_LIBS) $(JANSSON_LIBS)
tests_unit_test_stacks_LDADD = $(unit_libs)
tests_unit_test_strlist_LDADD = $(unit_libs)
tests_unit_test_suggest_LDADD = $(unit_libs)
tests_unit_test_tail_LDADD = $(unit_libs)
tests_unit_test_text_LDADD = $(unit_libs)
tests_unit_test_timeline_LDADD = $(unit_libs) $(JANSSON_LIBS)
tests_unit_test_traceback_LDADD = $(unit_libs)
tests_unit_test_usage_LDADD = $(unit_libs)
tests_unit_test_venv_LDADD = $(unit_libs)
tests_unit_test_verdict_LDADD = $(unit_libs) $(JANSSON_LIBS)
tests_unit_test_view_LDADD = $(unit_libs)
endif
