/* postconf - show parameters, or change main.cf. */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "edit.h"
#include "io/fd.h"

struct shown {
	bool presets, given_only, bare, json, manual;
	size_t n;
};

static struct str value_of(struct ctl *ctl, const struct conf_param *p, const struct shown *how)
{
	const struct conf_assignment *given = config_given(&ctl->config, str_from(p->name));

	if (how->presets || !given) {
		/* the host's name is a default that is found, not written */
		if (!how->presets && strcmp(p->name, "myhostname") == 0)
			return ctl_value(ctl, p->name);
		return str_from(p->preset);
	}
	return given->value;
}

static void show(struct ctl *ctl, const struct conf_param *p, struct shown *how)
{
	struct str value = value_of(ctl, p, how);

	if (how->json) {
		printf("%s\n  {\"name\":\"%s\",\"value\":", how->n++ ? "," : "", p->name);
		ctl_json_text(stdout, value);
		printf(",\"default\":");
		ctl_json_text(stdout, str_from(p->preset));
		printf(",\"type\":\"%s\"}", conf_type_name(p->type));
	} else if (how->bare) {
		printf("%.*s\n", STR_ARG(value));
	} else {
		printf("%s = %.*s\n", p->name, STR_ARG(value));
	}
}

/* A section of a manual page: every parameter of one daemon, in mdoc. */
static void show_manual(const char *daemon)
{
	const struct conf_param *p;
	const char *owner;
	size_t at = 0;

	printf(".Sh PARAMETERS\n.Bl -tag -width Ds\n");
	while ((p = house_next_param(&at, &owner)))
		if (strcmp(owner, daemon) == 0) {
			printf(".It Va %s No ( %s", p->name, conf_type_name(p->type));
			printf(p->preset[0] ? "; default: %s )\n" : "; default: empty%s )\n", p->preset);
			printf("%s\n", p->meaning);
		}
	printf(".El\n");
}

static int by_name(const void *a, const void *b)
{
	const struct conf_param *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void show_all(struct ctl *ctl, struct shown *how)
{
	const struct conf_param *list[512], *p;
	size_t n = 0, at = 0;

	while ((p = house_next_param(&at, NULL)) && n < COUNT(list))
		if (!how->given_only || config_given(&ctl->config, str_from(p->name)))
			list[n++] = p;
	qsort(list, n, sizeof(list[0]), by_name);
	for (size_t i = 0; i < n; i++)
		show(ctl, list[i], how);
}

static int show_named(struct ctl *ctl, char **names, struct shown *how)
{
	int status = 0;

	for (; *names; names++) {
		const struct conf_param *p = house_param(str_from(*names));
		const char *near = house_nearest(str_from(*names));
		if (p)
			show(ctl, p, how);
		else
			status = ctl_fail(ctl, 1, "%s: no such parameter%s%s%s", *names, near ? "; did you mean " : "",
					  near ? near : "", near ? "?" : "");
	}
	return status;
}

static int show_services(struct ctl *ctl)
{
	for (const struct conf_service *s = ctl->config.lines; s; s = s->next) {
		printf("%-16.*s %-5.*s %-7.*s %-7.*s %-7.*s %-7.*s %-7.*s %.*s\n", STR_ARG(s->name), STR_ARG(s->type),
		       STR_ARG(s->private_), STR_ARG(s->unprivileged), STR_ARG(s->chroot), STR_ARG(s->wakeup),
		       STR_ARG(s->maxproc), STR_ARG(s->command));
		for (const struct conf_assignment *o = s->options; o; o = o->next)
			printf("    -o %.*s=%.*s\n", STR_ARG(o->name), STR_ARG(o->value));
	}
	return 0;
}

/* ---- -e: change main.cf ---- */

struct edit {
	struct str name, value;
};

static bool check_edit(struct ctl *ctl, const struct edit *e)
{
	const struct conf_param *p = house_param(e->name);
	_Alignas(max_align_t) char field[32];
	struct err err = { 0 };

	if (!p) {
		const char *near = house_nearest(e->name);
		ctl_fail(ctl, 0, "%.*s: no such parameter%s%s%s", STR_ARG(e->name), near ? "; did you mean " : "",
			 near ? near : "", near ? "?" : "");
		return false;
	}
	/* a value with $names is known only with all others: 'tayori check' and reload look at it */
	if (str_find(e->value, '$') < 0 && !conf_value(p, e->value, &ctl->config.arena, field, &err)) {
		ctl_fail(ctl, 0, "%s: %s", p->name, err.text);
		return false;
	}
	return str_find(e->value, '\n') < 0;
}

static int edit_one(struct ctl *ctl, const char *text)
{
	struct str rest = str_from(text);
	bool has_value = str_find(rest, '=') >= 0;
	struct edit e = { .name = str_trim(str_cut(&rest, '=')) };
	scoped_buf struct buf before = { 0 }, after = { 0 };
	struct stat st;

	e.value = str_trim(rest);
	if (!has_value)
		return ctl_fail(ctl, EX_USAGE, "-e needs name=value");
	if (!check_edit(ctl, &e))
		return EX_DATAERR;
	scoped_fd int folder = open(ctl->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int fd = folder < 0 ? -1 : openat(folder, "main.cf", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || fd_read_rest(fd, &before) < 0)
		return ctl_fail(ctl, EX_NOINPUT, "%s/main.cf: %m", ctl->folder);
	edit_assign(buf_str(&before), e.name, e.value, &after);
	if (fd_replace_file(folder, "main.cf", buf_str(&after), st.st_mode & 0777) < 0)
		return ctl_fail(ctl, EX_CANTCREAT, "%s/main.cf: %m", ctl->folder);
	return 0;
}

int cmd_postconf(struct ctl *ctl, int argc, char **argv)
{
	struct shown how = { 0 };
	bool edit = false, services = false;
	int option, status = 0;

	while ((option = getopt(argc, argv, "c:dnhejMX")) != -1) {
		switch (option) {
		case 'c': ctl->folder = optarg; break;
		case 'd': how.presets = true; break;
		case 'n': how.given_only = true; break;
		case 'h': how.bare = true; break;
		case 'e': edit = true; break;
		case 'j': how.json = true; break;
		case 'M': services = true; break;
		case 'X': how.manual = true; break;
		default: return ctl_fail(ctl, EX_USAGE, "usage: postconf [-c FOLDER] [-dhjnM] [NAME ...] | -e NAME=VALUE ...");
		}
	}
	argv += optind;
	if (how.manual) {
		for (; *argv; argv++)
			show_manual(*argv);
		return 0;
	}
	if (!ctl_load(ctl) && !how.presets)
		return EX_CONFIG;
	if (services)
		return show_services(ctl);
	if (edit) {
		for (; *argv && status == 0; argv++)
			status = edit_one(ctl, *argv);
		return status;
	}
	if (how.json)
		printf("[");
	if (*argv)
		status = show_named(ctl, argv, &how);
	else
		show_all(ctl, &how);
	if (how.json)
		printf("\n]\n");
	return status;
}
