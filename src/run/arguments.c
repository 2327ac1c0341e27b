#include "run/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/capture.h"

static int read_all(int fd, struct capture *ret)
{
	char buf[65536];
	ssize_t n;

	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (ret->len + (size_t)n > ARGUMENTS_MAX)
			return -EFBIG;
		if (capture_add(ret, buf, (size_t)n) < 0)
			return -ENOMEM;
	}
}

static bool is_understood(const json_t *root)
{
	const json_t *args = json_object_get(root, "args");
	const json_t *kwargs = json_object_get(root, "kwargs");
	size_t known = (args != NULL ? 1U : 0U) + (kwargs != NULL ? 1U : 0U);

	if (json_is_array(root))
		return true;
	return json_is_object(root) && json_object_size(root) == known && (args == NULL || json_is_array(args)) &&
	       (kwargs == NULL || json_is_object(kwargs));
}

int arguments_read(const char *path, char **ret_text, struct error *err)
{
	static const char accepted[] = "accepted: a JSON list of arguments, or {\"args\": [...], \"kwargs\": {...}}";
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct capture text = {NULL, 0, 0};
	json_error_t why;
	json_t *root;
	bool understood;
	int r = fd < 0 ? -errno : read_all(fd, &text);

	if (r < 0) {
		capture_fini(&text);
		error_set(err, "usage", -r, "--args-file %s", path);
		err->exit = 2;
		return r;
	}
	root = json_loadb(text.len > 0 ? text.bytes : "", text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	understood = is_understood(root);
	if (root == NULL)
		error_set(err, "usage", 0, "--args-file %s: line %d: %s", path, why.line, why.text);
	else if (!understood)
		error_set(err, "usage", 0, "--args-file %s: not understood", path);
	json_decref(root);
	if (!understood) {
		capture_fini(&text);
		err->exit = 2;
		return error_hint(err, "%s", accepted);
	}
	*ret_text = text.bytes;
	return 0;
}
