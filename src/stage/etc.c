/* A small /etc of our own: what libraries need to work, and nothing about the host's accounts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "policy/inside.h"
#include "stage/stage.h"

#define NAME "etc"

static int write_file(const char *path, const char *text, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	return r < 0 ? error_set(err, NAME, -r, "write /%s", path) : 0;
}

static const struct {
	const char *path;
	const char *text;
} etc_files[] = {
    {"etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
		   "agent:x:1000:1000:agent:" POLICY_DEFAULT_DIR ":/bin/sh\n"
		   "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
    {"etc/group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"},
    {"etc/hosts", "127.0.0.1 localhost capsule\n::1 localhost capsule\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
			  "protocols: files\n"},
};

#define RESOLV_NONE "# No name server: this sandbox has no network.\n"
/* The gate's. No search list: a name is asked for as it was allowed. */
#define RESOLV_GATE "nameserver " INSIDE_SERVER "\noptions timeout:30 attempts:1\n"

/* What the runtime reads of the host's /etc, where there is one: no secrets, no accounts. */
static const struct {
	const char *path;
	bool directory;
} etc_binds[] = {
    {"etc/ld.so.cache", false},	    /* else the loader does not find libraries below /usr/lib/ARCH/... */
    {"etc/alternatives", true},	    /* Debian's BLAS and LAPACK are links through it */
    {"etc/ssl/certs", true},	    /* CA certificates, Debian and others */
    {"etc/ssl/openssl.cnf", false},
    {"etc/ca-certificates/extracted", true}, /* Arch */
    {"etc/pki/tls/certs", true},    /* CA certificates, Fedora */
    {"etc/pki/ca-trust/extracted", true},
    {"etc/services", false},
    {"etc/protocols", false},
    {"etc/mime.types", false},
    {"etc/matplotlibrc", false},    /* Debian's matplotlib does not import without it */
    {"etc/fonts", true},
};

/* The place of a bind below etc/, which is all ours: nothing there is a link that could lead out. */
static int make_place(const char *path, bool directory, struct error *err)
{
	char parent[64];
	int r = directory ? mkdir(path, 0755) : mknod(path, S_IFREG | 0444, 0);

	if (r == 0 || (directory && errno == EEXIST))
		return 0;
	if (errno != ENOENT)
		return error_set(err, NAME, errno, "create /%s", path);
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	r = path_make_dirs(parent, NAME, err);
	return r < 0 ? r : make_place(path, directory, err);
}

static int place_localtime(struct error *err)
{
	char target[256];
	ssize_t n = readlink("/etc/localtime", target, sizeof(target) - 1);
	int r;

	if (n > 0) {
		target[n] = '\0';
		return symlink(target, "etc/localtime") < 0 ? error_set(err, NAME, errno, "symlink /etc/localtime") : 0;
	}
	if (access("/etc/localtime", R_OK) < 0)
		return 0;
	r = make_place("etc/localtime", false, err);
	if (r < 0)
		return r;
	if (mount("/etc/localtime", "etc/localtime", NULL, MS_BIND, NULL) < 0)
		return error_set(err, NAME, errno, "bind /etc/localtime");
	return 0;
}

int stage_etc(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r;

	(void)ctx;
	if (mkdir("etc", 0755) < 0)
		return error_set(err, NAME, errno, "mkdir /etc");
	r = write_file("etc/resolv.conf", policy_has_network(policy) ? RESOLV_GATE : RESOLV_NONE, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(etc_files); i++) {
		r = write_file(etc_files[i].path, etc_files[i].text, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(etc_binds); i++) {
		char host[64];

		(void)snprintf(host, sizeof(host), "/%s", etc_binds[i].path);
		if (access(host, R_OK) < 0)
			continue;
		r = make_place(etc_binds[i].path, etc_binds[i].directory, err);
		if (r < 0)
			return r;
		if (mount(host, etc_binds[i].path, NULL, MS_BIND | MS_REC, NULL) < 0)
			return error_set(err, NAME, errno, "bind %s", host);
	}
	return place_localtime(err);
}
