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

# copy_tree DIR: the tree as a checkout of it would be: local changes included, nothing that was built.
copy_tree()
{
	[ ! -e config.status ] || die "the source directory itself is configured; run make distclean there first"
	mkdir -p "$1"
	if [ -e .git ] && command -v git >/dev/null; then
		# safe.directory: root may build what another user checked out. A file may be deleted and still listed.
		git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
			tar --create --no-recursion --null --ignore-failed-read --warning=no-failed-read --files-from=-
	else
		tar --create --exclude=./build --exclude='./build-*' .
	fi | tar --extract --no-same-owner --directory "$1"
}
