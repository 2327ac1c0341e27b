# What the scripts beside this file share; read by them, not run.
# shellcheck shell=sh

say()
{
	printf '==> %s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# quietly LOG COMMAND...: the command's output goes to LOG, or with VERBOSE=1 to the caller. When the command
# fails, the end of LOG is shown.
quietly()
{
	log=$1
	shift
	if [ "${VERBOSE-}" = 1 ]; then
		"$@"
		return
	fi
	"$@" >"$log" 2>&1 && return
	status=$?
	tail -n 30 "$log" >&2
	return "$status"
}
