/* postmap - compile a table, ask one, show one. */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "dict/dict.h"
#include "io/fd.h"
#include "mail/alias_list.h"

/* "type:path" or a bare path of type lmdb, taken apart. */
struct table_name {
	struct str type;
	char path[4096]; /* the folder, with the file's name cut off */
	const char *file;
	int folder;
};

static int open_name(struct ctl *ctl, const char *text, struct table_name *t)
{
	const char *colon = strchr(text, ':');

	*t = (struct table_name){ .type = STR("lmdb"), .folder = -1 };
	if (colon)
		t->type = str_of(text, (size_t)(colon - text));
	snprintf(t->path, sizeof(t->path), "%s", colon ? colon + 1 : text);
	if (colon && !dict_has_file(str_from(text)))
		return 0;
	char *slash = strrchr(t->path, '/');
	t->file = slash ? slash + 1 : t->path;
	if (slash)
		*slash = '\0';
	t->folder = open(slash ? (t->path[0] ? t->path : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->folder < 0 ? ctl_fail(ctl, EX_NOINPUT, "%s: %m", text) : 0;
}

static void on_warning(void *arg, size_t line, const char *text)
{
	fprintf(stderr, "postmap: %s: line %zu: warning: %s\n", (const char *)arg, line, text);
}

static int compile(struct ctl *ctl, const char *name)
{
	struct table_name t;
	scoped_buf struct buf text = { .limit = DICT_TEXT_MAX };
	struct err err = { 0 };
	int bad = open_name(ctl, name, &t);
	scoped_fd int folder = t.folder;

	if (bad)
		return bad;
	if (!str_eq(t.type, STR("lmdb")))
		return ctl_fail(ctl, EX_USAGE, "%s: only lmdb tables are compiled", name);
	scoped_fd int fd = openat(folder, t.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_rest(fd, &text) < 0)
		return ctl_fail(ctl, EX_NOINPUT, "%s: %m", name);
	if (!dict_compile(folder, t.file, buf_str(&text), on_warning, (void *)(uintptr_t)name, &err))
		return ctl_fail(ctl, EX_DATAERR, "%s: %s", name, err.text);
	return 0;
}

static struct dict *open_table(struct ctl *ctl, const char *name)
{
	struct table_name t;
	struct err err = { 0 };
	/* a bare name is a compiled table */
	char spec[4200];

	if (open_name(ctl, name, &t))
		return NULL;
	scoped_fd int folder = t.folder;
	snprintf(spec, sizeof(spec), "%s%s", strchr(name, ':') ? "" : "lmdb:", name);
	struct str domain = ctl_value(ctl, "auth_default_domain");
	struct dict *d = dict_open(str_from(spec), folder, t.file, domain, &err);
	if (!d)
		ctl_fail(ctl, 0, "%s: %s", name, err.text);
	else if (dict_warning(d)[0])
		fprintf(stderr, "postmap: %s: warning: %s\n", name, dict_warning(d));
	return d;
}

static void show_answer(struct str key, struct str value, bool keyed, bool json)
{
	if (json) {
		printf("{\"key\":");
		ctl_json_text(stdout, key);
		printf(",\"value\":");
		ctl_json_text(stdout, value);
		printf("}\n");
	} else if (keyed) {
		printf("%.*s\t%.*s\n", STR_ARG(key), STR_ARG(value));
	} else {
		printf("%.*s\n", STR_ARG(value));
	}
}

struct tables {
	struct dict **list;
	char **names;
	size_t n;
};

/* Asked of several tables, the first answer counts. 0: found; 1: not. */
static int query(struct ctl *ctl, const struct tables *t, struct str key, bool keyed, bool json)
{
	scoped_buf struct buf value = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		enum dict_result r = dict_get(t->list[i], key, &value, &err);
		if (r == DICT_ERROR)
			return ctl_fail(ctl, EX_TEMPFAIL, "%s: %s", t->names[i], err.text);
		if (r == DICT_MISSING)
			continue;
		show_answer(key, buf_str(&value), keyed, json);
		return 0;
	}
	return 1;
}

/* Keys from standard input, one a line. */
static int query_lines(struct ctl *ctl, const struct tables *t, bool json)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int status = 1;

	while (status <= 1 && (n = getline(&line, &room, stdin)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		int one = query(ctl, t, str_of(line, (size_t)n), true, json);
		status = one == 1 ? status : one;
	}
	free(line);
	return status;
}

static int query_all(struct ctl *ctl, const char *key, char **names, size_t n, bool json)
{
	struct tables t = { .list = calloc(n, sizeof(*t.list)), .names = names };
	int status = 0;

	ASSERT(t.list);
	while (t.n < n && (t.list[t.n] = open_table(ctl, names[t.n])))
		t.n++;
	if (t.n < n)
		status = EX_CONFIG;
	else if (strcmp(key, "-") == 0)
		status = query_lines(ctl, &t, json);
	else
		status = query(ctl, &t, str_from(key), false, json);
	while (t.n > 0)
		dict_close(t.list[--t.n]);
	free(t.list);
	return status;
}

struct dump {
	bool json;
	size_t n;
};

static bool show_row(void *arg, struct str key, struct str value)
{
	struct dump *d = arg;

	if (!d->json) {
		printf("%.*s\t%.*s\n", STR_ARG(key), STR_ARG(value));
		return true;
	}
	printf("%s{\"key\":", d->n++ ? ",\n " : "");
	ctl_json_text(stdout, key);
	printf(",\"value\":");
	ctl_json_text(stdout, value);
	printf("}");
	return true;
}

static int dump(struct ctl *ctl, const char *name, bool json)
{
	struct dump how = { .json = json };
	struct err err = { 0 };
	struct dict *d = open_table(ctl, name);

	if (!d)
		return EX_CONFIG;
	if (json)
		printf("[");
	bool ok = dict_each(d, show_row, &how, &err);
	if (json)
		printf("]\n");
	dict_close(d);
	return ok ? 0 : ctl_fail(ctl, EX_IOERR, "%s: %s", name, err.text);
}

int cmd_postmap(struct ctl *ctl, int argc, char **argv)
{
	const char *key = NULL;
	bool all = false, json = false;
	int option, status = 0;

	while ((option = getopt(argc, argv, "c:q:sj")) != -1) {
		switch (option) {
		case 'c': ctl->folder = optarg; break;
		case 'q': key = optarg; break;
		case 's': all = true; break;
		case 'j': json = true; break;
		default: optind = argc + 1;
		}
	}
	if (optind >= argc)
		return ctl_fail(ctl, EX_USAGE, "usage: postmap [-c FOLDER] [-j] [-q KEY | -s] [TYPE:]FILE ...");
	if (key)
		return query_all(ctl, key, argv + optind, (size_t)(argc - optind), json);
	for (; optind < argc; optind++) {
		const char *name = argv[optind];
		int one = all ? dump(ctl, name, json) : compile(ctl, name);
		status = one ? one : status;
	}
	return status;
}

/* What lookupd would defer mail for is told here, where somebody sees it. */
static bool check_alias(void *arg, struct str key, struct str value)
{
	scoped_alias_list struct alias_list list = { .rest = value };
	struct alias_item item;
	size_t n = 0;

	for (; alias_list_next(&list, &item); n++)
		if (item.kind == ALIAS_BAD)
			fprintf(stderr, "newaliases: %s: warning: %.*s: '%.*s' is no address, command, file or list\n",
				(const char *)arg, STR_ARG(key), STR_ARG(item.text));
	if (n == 0)
		fprintf(stderr, "newaliases: %s: warning: %.*s: leads nowhere\n", (const char *)arg, STR_ARG(key));
	return true;
}

static int compile_aliases(struct ctl *ctl, const char *name)
{
	int bad = compile(ctl, name);
	struct dict *d = bad ? NULL : open_table(ctl, name);
	struct err err = { 0 };

	if (d && !dict_each(d, check_alias, (void *)(uintptr_t)name, &err))
		bad = ctl_fail(ctl, EX_IOERR, "%s: %s", name, err.text);
	dict_close(d);
	return bad;
}

/* Compiles the lmdb tables of alias_database. */
int cmd_newaliases(struct ctl *ctl, int argc, char **argv)
{
	int option, status = 0;
	struct str maps, item;

	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return ctl_fail(ctl, EX_USAGE, "usage: newaliases [-c FOLDER]");
		ctl->folder = optarg;
	}
	if (!ctl_load(ctl))
		return EX_CONFIG;
	maps = ctl_value(ctl, "alias_database");
	while (conf_list_next(&maps, &item)) {
		if (!str_starts(item, STR("lmdb:")))
			continue;
		int one = compile_aliases(ctl, arena_str(&ctl->config.arena, item).p);
		status = one ? one : status;
	}
	return status;
}
