/* /etc/hosts and /etc/resolv.conf: hosts(5), resolv.conf(5). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "gate/resolve.h"

#define FILE_MAX_BYTES (1U << 20)
#define HOSTS_MAX 65536
#define BLANKS " \t\r"

/* The next line of a text, terminated and without its comment; NULL at the end. */
static char *next_line(char **text, const char *comments)
{
	char *line = *text;
	char *end;

	if (line == NULL || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	*text = end != NULL ? end + 1 : NULL;
	line[strcspn(line, comments)] = '\0';
	return line;
}

static void set_search(struct resolve_config *config, char *save, int *r)
{
	char name[ALLOW_NAME_MAX + 1];

	for (size_t i = 0; i < config->search_count; i++)
		free(config->search[i]);
	config->search_count = 0;
	for (char *word; (word = strtok_r(NULL, BLANKS, &save)) != NULL && config->search_count < RESOLVE_SEARCH_MAX;) {
		if (!allow_normalize(word, strlen(word), name))
			continue;
		config->search[config->search_count] = strdup(name);
		if (config->search[config->search_count] == NULL)
			*r = -ENOMEM;
		else
			config->search_count++;
	}
}

static void set_options(struct resolve_config *config, char *save)
{
	for (char *word; (word = strtok_r(NULL, BLANKS, &save)) != NULL;) {
		uint64_t number;

		if (strncmp(word, "timeout:", 8) == 0 && text_parse_u64(word + 8, &number) == 0)
			config->timeout_ms = number < 1 ? 1000 : number > 30 ? 30000 : (unsigned int)number * 1000;
		if (strncmp(word, "attempts:", 9) == 0 && text_parse_u64(word + 9, &number) == 0)
			config->attempts = number < 1 ? 1 : number > 5 ? 5 : (unsigned int)number;
	}
}

int resolve_parse_conf(struct resolve_config *config, char *text)
{
	char *line;
	int r = 0;

	while ((line = next_line(&text, "#;")) != NULL && r == 0) {
		char *save = NULL;
		char *key = strtok_r(line, BLANKS, &save);
		char *word;

		if (key == NULL)
			continue;
		if (strcmp(key, "nameserver") == 0) {
			word = strtok_r(NULL, BLANKS, &save);
			if (word != NULL && config->server_count < RESOLVE_SERVERS_MAX &&
			    allow_parse_address(word, &config->server[config->server_count]))
				config->server_count++;
		} else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
			set_search(config, save, &r);
		} else if (strcmp(key, "options") == 0) {
			set_options(config, save);
		}
	}
	return r;
}

int resolve_parse_hosts(struct resolve_config *config, char *text)
{
	char name[ALLOW_NAME_MAX + 1];
	size_t room = config->host_count;
	char *line;

	while ((line = next_line(&text, "#")) != NULL) {
		char *save = NULL;
		char *word = strtok_r(line, BLANKS, &save);
		struct allow_address address;

		if (word == NULL || !allow_parse_address(word, &address))
			continue;
		while ((word = strtok_r(NULL, BLANKS, &save)) != NULL && config->host_count < HOSTS_MAX) {
			if (!allow_normalize(word, strlen(word), name))
				continue;
			if (config->host_count == room) {
				struct resolve_host *grown;

				room = room == 0 ? 16 : room * 2;
				grown = reallocarray(config->hosts, room, sizeof(*grown));
				if (grown == NULL)
					return -ENOMEM;
				config->hosts = grown;
			}
			config->hosts[config->host_count].address = address;
			config->hosts[config->host_count].name = strdup(name);
			if (config->hosts[config->host_count].name == NULL)
				return -ENOMEM;
			config->host_count++;
		}
	}
	return 0;
}

/* A whole file as a string; NULL, with *r 0, when there is none. */
static char *read_file(const char *path, int *r)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text;
	ssize_t n;

	*r = fd < 0 && errno != ENOENT ? -errno : 0;
	if (fd < 0)
		return NULL;
	text = malloc(FILE_MAX_BYTES + 1);
	n = text == NULL ? -ENOMEM : fd_read_all(fd, text, FILE_MAX_BYTES);
	if (n < 0) {
		*r = (int)n;
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

int resolve_read_config(struct resolve_config *ret, struct error *err)
{
	static const struct {
		const char *path;
		int (*parse)(struct resolve_config *config, char *text);
	} files[] = {{"/etc/resolv.conf", resolve_parse_conf}, {"/etc/hosts", resolve_parse_hosts}};

	*ret = (struct resolve_config){.port = 53, .timeout_ms = 3000, .attempts = 2};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r;
		AUTO_FREE char *text = read_file(files[i].path, &r);

		if (text != NULL)
			r = files[i].parse(ret, text);
		if (r < 0)
			return error_set(err, "gate", -r, "read %s", files[i].path);
	}
	/* As resolv.conf(5) has it: the one on this machine. */
	if (ret->server_count == 0 && allow_parse_address("127.0.0.1", &ret->server[0]))
		ret->server_count = 1;
	return 0;
}

void resolve_config_fini(struct resolve_config *config)
{
	for (size_t i = 0; i < config->search_count; i++)
		free(config->search[i]);
	for (size_t i = 0; i < config->host_count; i++)
		free(config->hosts[i].name);
	free(config->hosts);
	memset(config, 0, sizeof(*config));
}
