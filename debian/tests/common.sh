# What the tests beside this file share.
# shellcheck shell=sh

# A plain chroot, and a container without the right to make user namespaces, can't run a task.
need_user_namespaces()
{
	if ! unshare --user --map-root-user --mount true; then
		echo "no user namespace can be made here"
		exit 77
	fi
}
