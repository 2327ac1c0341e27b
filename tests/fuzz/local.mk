# Fuzz entries, one for each parser. Without libFuzzer (configure --enable-fuzz, clang) they replay their
# corpora in `make check`. To fuzz:
#   configure --enable-fuzz --enable-sanitizers CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link'
#   make check-programs; mkdir new; tests/fuzz/fuzz_cli -max_total_time=60 new SRCDIR/tests/fuzz/corpus/cli
EXTRA_DIST += tests/fuzz/corpus

check_PROGRAMS += \
	tests/fuzz/fuzz_allow \
	tests/fuzz/fuzz_bind \
	tests/fuzz/fuzz_channel \
	tests/fuzz/fuzz_cli \
	tests/fuzz/fuzz_dbus \
	tests/fuzz/fuzz_declared \
	tests/fuzz/fuzz_dns \
	tests/fuzz/fuzz_elf \
	tests/fuzz/fuzz_hello \
	tests/fuzz/fuzz_hostfiles \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_ldcache \
	tests/fuzz/fuzz_option \
	tests/fuzz/fuzz_profile \
	tests/fuzz/fuzz_python \
	tests/fuzz/fuzz_record \
	tests/fuzz/fuzz_scrub \
	tests/fuzz/fuzz_text \
	tests/fuzz/fuzz_traceback

fuzz_cppflags = $(AM_CPPFLAGS) -DCORPUS='"$(abs_srcdir)/tests/fuzz/corpus"'
fuzz_common = tests/fuzz/fuzz.h
fuzz_ldflags = $(AM_LDFLAGS)
if FUZZ
fuzz_ldflags += -fsanitize=fuzzer
else
fuzz_common += tests/fuzz/replay.c
endif

tests_fuzz_fuzz_allow_SOURCES = tests/fuzz/fuzz_allow.c $(fuzz_common)
tests_fuzz_fuzz_allow_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_allow_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_allow_LDADD = libcapsule.a
tests_fuzz_fuzz_bind_SOURCES = tests/fuzz/fuzz_bind.c $(fuzz_common)
tests_fuzz_fuzz_bind_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_bind_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_bind_LDADD = libcapsule.a
tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c $(fuzz_common)
tests_fuzz_fuzz_channel_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_channel_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_channel_LDADD = libcapsule.a
tests_fuzz_fuzz_cli_SOURCES = tests/fuzz/fuzz_cli.c $(fuzz_common)
tests_fuzz_fuzz_cli_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_cli_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_cli_LDADD = libcapsule.a
tests_fuzz_fuzz_dbus_SOURCES = tests/fuzz/fuzz_dbus.c $(fuzz_common)
tests_fuzz_fuzz_dbus_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_dbus_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dbus_LDADD = libcapsule.a
tests_fuzz_fuzz_declared_SOURCES = tests/fuzz/fuzz_declared.c $(fuzz_common)
tests_fuzz_fuzz_declared_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_declared_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_declared_LDADD = libcapsule.a $(JANSSON_LIBS)

tests_fuzz_fuzz_dns_SOURCES = tests/fuzz/fuzz_dns.c $(fuzz_common)
tests_fuzz_fuzz_dns_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_dns_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dns_LDADD = libcapsule.a
tests_fuzz_fuzz_elf_SOURCES = tests/fuzz/fuzz_elf.c $(fuzz_common)
tests_fuzz_fuzz_elf_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_elf_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_elf_LDADD = libcapsule.a
tests_fuzz_fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c $(fuzz_common)
tests_fuzz_fuzz_hello_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_hello_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_hello_LDADD = libcapsule.a
tests_fuzz_fuzz_hostfiles_SOURCES = tests/fuzz/fuzz_hostfiles.c $(fuzz_common)
tests_fuzz_fuzz_hostfiles_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_hostfiles_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_hostfiles_LDADD = libcapsule.a
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(fuzz_common)
tests_fuzz_fuzz_http_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_http_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_http_LDADD = libcapsule.a
tests_fuzz_fuzz_ldcache_SOURCES = tests/fuzz/fuzz_ldcache.c $(fuzz_common)
tests_fuzz_fuzz_ldcache_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ldcache_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ldcache_LDADD = libcapsule.a
tests_fuzz_fuzz_option_SOURCES = tests/fuzz/fuzz_option.c $(fuzz_common)
tests_fuzz_fuzz_option_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_option_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_option_LDADD = libcapsule.a
tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz_profile.c $(fuzz_common)
tests_fuzz_fuzz_profile_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_profile_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_profile_LDADD = libcapsule.a
tests_fuzz_fuzz_python_SOURCES = tests/fuzz/fuzz_python.c $(fuzz_common)
tests_fuzz_fuzz_python_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_python_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_python_LDADD = libcapsule.a
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(fuzz_common)
tests_fuzz_fuzz_record_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_record_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_record_LDADD = libcapsule.a
tests_fuzz_fuzz_scrub_SOURCES = tests/fuzz/fuzz_scrub.c $(fuzz_common)
tests_fuzz_fuzz_scrub_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_scrub_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_scrub_LDADD = libcapsule.a
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c $(fuzz_common)
tests_fuzz_fuzz_text_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_text_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_text_LDADD = libcapsule.a
tests_fuzz_fuzz_traceback_SOURCES = tests/fuzz/fuzz_traceback.c $(fuzz_common)
tests_fuzz_fuzz_traceback_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_traceback_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_traceback_LDADD = libcapsule.a $(JANSSON_LIBS)
