# Debian systems below a directory, and counted tests in them: what scripts/check-package and scripts/check-static
# share. Sets $work, which the caller's end removes.
# shellcheck shell=bash

[ "$(id -u)" -eq 0 ] || die "needs root: it makes Debian systems below a directory and enters them"
scripts/install-deps package || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/capsule-roots.XXXXXX")
# One file system: a mount that was left would be somebody else's files.
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$work"

passed=0 failed=0 skipped=0

# try NAME COMMAND...: one counted test; status 77 skips it. What the command prints is shown when it fails.
try()
{
	local name=$1 start=$SECONDS status=0 verdict
	shift
	if [ "${VERBOSE-}" = 1 ]; then
		"$@" </dev/null || status=$?
	else
		"$@" >"$work/log" 2>&1 </dev/null || status=$?
	fi
	case $status in
	0) passed=$((passed + 1)) verdict=pass ;;
	77) skipped=$((skipped + 1)) verdict=skip ;;
	*) failed=$((failed + 1)) verdict=FAIL ;;
	esac
	[ "$status" -eq 0 ] || [ "${VERBOSE-}" = 1 ] || tail -n 60 "$work/log"
	printf '%s: %s  %d s\n' "$verdict" "$name" $((SECONDS - start))
	[ "$status" -eq 0 ]
}

# The last line, and the end.
finish()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

# make_root NAME SUITE [PACKAGE...]: a minimal system with an ordinary user, tester. MIRROR names another mirror
# than mmdebstrap's own.
make_root()
{
	local name=$1 suite=$2
	shift 2
	mmdebstrap --mode=root --variant=minbase ${1:+--include="$*"} --aptopt='Acquire::Languages "none"' \
		--dpkgopt=force-unsafe-io "$suite" "$work/$name" ${MIRROR:+"$MIRROR"} || return
	[ ! -f /etc/resolv.conf ] || cp -L /etc/resolv.conf "$work/$name/etc/resolv.conf"
	enter "$name" useradd --create-home tester && apt_get "$name" update
}

# enter ROOT COMMAND...: runs it there as root, with a /proc, /dev and /sys. By pivot_root and not by chroot: the
# kernel makes no user namespace for who is in a chroot.
enter()
{
	local root=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private --pid --fork --kill-child -- sh -euc '
		mount --bind "$1" "$1"
		cd "$1"
		shift
		mount -t proc proc proc
		mount --rbind /dev dev
		mount -t tmpfs -o mode=1777 tmpfs dev/shm
		mount --rbind /sys sys
		pivot_root . .
		umount -l .
		exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot . "$@"' enter "$work/$root" "$@"
}

# as_tester ROOT SHELL-COMMAND
as_tester()
{
	enter "$1" runuser -u tester -- sh -c "$2"
}

# run_task ROOT USER: debian/tests/run-task there, with whatever capsule-run is in its PATH.
run_task()
{
	mkdir -p "$work/$1/srv/source/debian" && cp -a debian/tests "$work/$1/srv/source/debian/" &&
		chmod -R go+rX "$work/$1/srv/source" &&
		enter "$1" runuser -u "$2" -- sh -c 'cd /srv/source && exec debian/tests/run-task'
}

# apt_get ROOT ARGUMENT...
apt_get()
{
	enter "$1" apt-get -q -y --no-install-recommends "${@:2}"
}
