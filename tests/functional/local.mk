# The functional and escape suites; tests/run.py finds the modules.
EXTRA_DIST += \
	tests/functional/brokenhost.py \
	tests/functional/harness.py \
	tests/functional/pseudoterminal.py \
	tests/functional/schema.py \
	tests/functional/test_causes.py \
	tests/functional/test_command.py \
	tests/functional/test_completions.py \
	tests/functional/test_doctor.py \
	tests/functional/test_errors.py \
	tests/functional/test_examples.py \
	tests/functional/test_files.py \
	tests/functional/test_hints.py \
	tests/functional/test_interpreters.py \
	tests/functional/test_json.py \
	tests/functional/test_leftovers.py \
	tests/functional/test_limits.py \
	tests/functional/test_profiles.py \
	tests/functional/test_python.py \
	tests/functional/test_refusals.py \
	tests/functional/test_result.py \
	tests/functional/test_schema.py \
	tests/functional/test_streams.py \
	tests/functional/test_strict.py \
	tests/functional/test_summary.py \
	tests/functional/test_terminal.py \
	tests/functional/test_view.py \
	tests/escape/escape.py \
	tests/escape/probelib.py \
	tests/escape/probes_files.py \
	tests/escape/probes_kernel.py \
	tests/escape/probes_network.py \
	tests/escape/probes_processes.py \
	tests/escape/probes_setid.py \
	tests/escape/probes_strict.py \
	tests/escape/test_runs.py \
	tests/escape/test_terminals.py
