#include "house/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "house/compat.h"
#include "io/fd.h"
#include "ipc/messages.h"
#include "smtp/restrict.h"

struct reader {
	struct config *c;
	const struct conf_report *report;
	const struct conf_assignment *options; /* of the service that is read */
	struct buf tables; /* that restrictions name */
};

static void tell(struct reader *r, bool fatal, const char *file, size_t line, const char *text)
{
	fatal ? r->c->errors++ : r->c->warnings++;
	r->report->tell(r->report->arg, fatal, file, line, text);
}

/* Counts what the file parsers tell. */
static void count_told(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	tell(arg, fatal, file, line, text);
}

static void print_told(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	(void)arg;
	if (line)
		fprintf(stderr, "%s:%zu: %s: %s\n", file, line, fatal ? "error" : "warning", text);
	else
		fprintf(stderr, "%s: %s: %s\n", file, fatal ? "error" : "warning", text);
}
const struct conf_report config_to_stderr = { print_told, NULL };

static const struct conf_assignment *last_given(const struct conf_assignment *list, struct str name)
{
	const struct conf_assignment *found = NULL;

	for (; list; list = list->next)
		if (str_eq(list->name, name))
			found = list;
	return found;
}

const struct conf_assignment *config_given(const struct config *c, struct str name)
{
	return last_given(c->main, name);
}

/* What no file gives: the host's own name, and the domain in it. */
static bool find_host_fact(struct reader *r, struct str name, struct str *value)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (str_eq(name, STR("config_directory"))) {
		*value = str_from(r->c->folder);
		return true;
	}
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		snprintf(host, sizeof(host), "localhost");
	bool full = strchr(host, '.') != NULL;
	if (str_eq(name, STR("myhostname"))) {
		*value = str_from(arena_printf(&r->c->arena, "%s%s", host, full ? "" : ".localdomain"));
		return true;
	}
	if (str_eq(name, STR("mydomain"))) {
		const struct conf_assignment *given = last_given(r->c->main, STR("myhostname"));
		struct str whole = given ? given->value : str_from(full ? host : "localhost.localdomain");
		ptrdiff_t dot = str_find(whole, '.');
		*value = arena_str(&r->c->arena, dot >= 0 ? str_skip(whole, (size_t)dot + 1) : whole);
		return true;
	}
	return false;
}

/* myorigin = /etc/mailname, as Debian has it. */
static bool from_file(struct str name, struct str value)
{
	return str_eq(name, STR("myorigin")) && value.n > 0 && value.p[0] == '/';
}

static bool read_name(struct reader *r, struct str *value)
{
	scoped_buf struct buf line = { 0 };

	if (!compat_first_line(*value, &line))
		return false;
	*value = arena_str(&r->c->arena, buf_str(&line));
	return true;
}

static bool find_value(void *arg, struct str name, struct str *value)
{
	struct reader *r = arg;
	const struct conf_assignment *given = last_given(r->options, name);

	if (!given)
		given = last_given(r->c->main, name);
	if (given) {
		((struct conf_assignment *)(uintptr_t)given)->used = true;
		*value = given->value;
		return !from_file(name, given->value) || read_name(r, value);
	}
	if (find_host_fact(r, name, value) || compat_value(r->c->main, name, value))
		return true;
	const struct conf_param *p = house_param(name);
	*value = str_from(p ? p->preset : "");
	return p != NULL || compat_fact(name, value);
}

static bool effective(struct reader *r, struct str name, struct buf *out, struct err *err)
{
	const struct conf_param *p = house_param(name);
	struct str raw;

	buf_reset(out);
	if (!find_value(r, name, &raw))
		return err_set(err, "it cannot be read: %s", strerror(errno));
	if (!conf_expand(raw, find_value, r, out, err))
		return false;
	if (p && (p->type == CONF_tables || p->type == CONF_text))
		compat_tables(out);
	if (p && p->type == CONF_choice && str_ends(name, STR("inet_protocols")))
		compat_protocols(out);
	return true;
}

bool config_value(struct config *c, struct str name, struct buf *out, struct err *err)
{
	struct reader r = { .c = c, .report = &config_to_stderr };

	return effective(&r, name, out, err);
}

/* The words of a list of restrictions; the tables among them are lookupd's to open. */
static bool check_restrictions(struct reader *r, const struct conf_param *p, struct str value, struct err *err)
{
	struct restrict_program program;
	enum restrict_list list;

	if (p->type != CONF_checks || !restrict_list_of(str_from(p->name), &list))
		return true;
	if (!restrict_parse(value, list, true, &r->c->arena, &program, err))
		return false;
	for (size_t i = 0; i < program.n; i++)
		if (restrict_has_table(program.steps[i].check))
			buf_addf(&r->tables, "%s%.*s", r->tables.n ? ", " : "", STR_ARG(program.steps[i].arg));
	return true;
}

/* Evaluates and checks one parameter; false: told. */
static bool read_param(struct reader *r, const struct conf_param *p, size_t service_line, struct str *value)
{
	scoped_buf struct buf text = { 0 };
	_Alignas(max_align_t) char field[32];
	struct err err = { 0 };
	const struct conf_assignment *option = last_given(r->options, str_from(p->name));
	const struct conf_assignment *given = last_given(r->c->main, str_from(p->name));

	if (effective(r, str_from(p->name), &text, &err)) {
		*value = arena_str(&r->c->arena, buf_str(&text));
		if (conf_value(p, *value, &r->c->arena, field, &err) && check_restrictions(r, p, *value, &err))
			return true;
	}
	char why[400];
	snprintf(why, sizeof(why), "%s: %s", p->name, err.text);
	if (option)
		tell(r, true, "master.cf", service_line, why);
	else
		tell(r, true, "main.cf", given ? given->line : 0, why);
	return false;
}

static bool read_values(struct reader *r, struct config_service *s)
{
	size_t n = *s->daemon->n_params;
	bool ok = true;

	s->values = arena_alloc(&r->c->arena, (n + 1) * sizeof(struct str));
	for (size_t i = 0; i < n; i++)
		ok = read_param(r, &s->daemon->params[i], s->line, &s->values[i]) && ok;
	return ok;
}

static struct str option_value(struct reader *r, const char *name)
{
	scoped_buf struct buf text = { 0 };

	if (!effective(r, str_from(name), &text, NULL))
		return STR("");
	return arena_str(&r->c->arena, buf_str(&text));
}

/* smtpd_service tells what a service of smtpd is for; nothing else has authority of its own. */
static uint32_t authority_of(struct reader *r, const struct house_daemon *d)
{
	struct str kind;

	if (strcmp(d->name, "smtpd") != 0)
		return 0;
	kind = option_value(r, "smtpd_service");
	if (str_ieq(kind, STR("submission")))
		return AUTHORITY_SUBMISSION;
	if (str_ieq(kind, STR("sendmail")))
		return AUTHORITY_LOCAL;
	return AUTHORITY_MX;
}

static struct config_service *find_daemon(struct config *c, const char *daemon)
{
	struct config_service *s = c->services;

	while (s && strcmp(s->daemon->name, daemon) != 0)
		s = s->next;
	return s;
}

static bool same_process(const struct config_service *a, const struct config_service *b)
{
	return a->daemon == b->daemon && a->authority == b->authority && str_eq(a->user, b->user);
}

static struct str value_of(const struct config_service *s, const char *name)
{
	for (size_t i = 0; i < *s->daemon->n_params; i++)
		if (strcmp(s->daemon->params[i].name, name) == 0)
			return s->values[i];
	return STR("");
}

static bool names_others(struct str networks)
{
	struct str item;

	while (conf_list_next(&networks, &item))
		if (!str_starts(item, STR("127.")) && !str_starts(item, STR("[::1]")) && !str_starts(item, STR("::1")))
			return true;
	return false;
}

/* Postfix relays for mynetworks on port 25; here a service for anybody's mail does not, whatever its lists say. */
static void warn_of_relaying(struct reader *r, const struct config_service *s)
{
	char why[300];
	struct str relay = value_of(s, "smtpd_relay_restrictions"), item;

	if (s->authority != AUTHORITY_MX || !config_given(r->c, STR("mynetworks")) ||
	    !names_others(value_of(s, "mynetworks")))
		return;
	while (conf_list_next(&relay, &item)) {
		if (!str_ieq(item, STR("permit_mynetworks")))
			continue;
		snprintf(why, sizeof(why),
			 "service %.*s is for mail to our own recipients and does not relay for mynetworks, whatever "
			 "smtpd_relay_restrictions says: clients that send to others log in at a submission service",
			 STR_ARG(s->name));
		tell(r, false, "master.cf", s->line, why);
		return;
	}
}

static void add_service(struct reader *r, const struct house_daemon *d, const struct conf_service *line)
{
	struct config_service *s = arena_alloc(&r->c->arena, sizeof(*s)), **end = &r->c->services;

	*s = (struct config_service){ .daemon = d, .name = str_from(d->name) };
	r->options = line ? line->options : NULL;
	if (line) {
		s->name = line->name;
		s->type = line->type;
		s->address = line->name;
		s->line = line->line;
		s->public_socket = str_eq(line->private_, STR("n"));
	}
	read_values(r, s);
	s->authority = authority_of(r, d);
	warn_of_relaying(r, s);
	s->user = option_value(r, "service_user");
	if (s->user.n == 0 || strcmp(d->user, "root") == 0)
		s->user = str_from(d->user);
	r->options = NULL;
	while (*end && !same_process(*end, s))
		end = &(*end)->next;
	if (*end)
		end = &(*end)->members;
	while (*end)
		end = &(*end)->next;
	*end = s;
}

/* Names of services that one daemon may have several of; the rest run once. */
static bool listens(const struct house_daemon *d)
{
	return strcmp(d->name, "smtpd") == 0 || strcmp(d->name, "pop3d") == 0 || strcmp(d->name, "imapd") == 0;
}

/* Names that nobody knows, and those of Postfix. */
static void check_name(struct reader *r, const struct conf_assignment *a, const char *file, size_t line, const char *before)
{
	bool known = house_param(a->name) != NULL;
	scoped_buf struct buf told = { 0 };
	char why[500];

	if (compat_tell(r->c->main, a, known, &told)) {
		snprintf(why, sizeof(why), "%s%.*s", before, STR_ARG(buf_str(&told)));
		tell(r, false, file, line, why);
		return;
	}
	if (known || a->used)
		return;
	const char *near = house_nearest(a->name);
	snprintf(why, sizeof(why), "%s%.*s: no such parameter%s%s%s", before, STR_ARG(a->name), near ? "; did you mean " : "",
		 near ? near : "", near ? "?" : "");
	tell(r, false, file, line, why);
}

static void check_line(struct reader *r, const struct conf_service *line)
{
	char why[300];
	const struct house_daemon *d = house_find(line->command);

	if (!d) {
		snprintf(why, sizeof(why), "%.*s: no such daemon here; the line is not used", STR_ARG(line->command));
		tell(r, false, "master.cf", line->line, why);
	}
	for (const struct conf_service *other = r->c->lines; other != line; other = other->next)
		if (str_eq(other->name, line->name) && str_eq(other->type, line->type)) {
			snprintf(why, sizeof(why), "service %.*s stands here twice (line %zu)", STR_ARG(line->name), other->line);
			tell(r, true, "master.cf", line->line, why);
		}
	for (const struct conf_assignment *o = line->options; o; o = o->next)
		check_name(r, o, "master.cf", line->line, "-o ");
}

static bool needed(struct config *c, const struct house_daemon *d)
{
	scoped_buf struct buf when = { 0 };

	if (strcmp(d->name, "logd") == 0)
		return true;
	if (d->when && (!config_value(c, str_from(d->when), &when, NULL) || when.n == 0 || str_ieq(buf_str(&when), STR("no"))))
		return false;
	for (const struct config_service *s = c->services; s; s = s->next)
		for (size_t i = 0; s->daemon->servers[i]; i++)
			if (strcmp(s->daemon->servers[i], d->name) == 0)
				return true;
	return false;
}

/* Listening services come from master.cf, all others because somebody needs them. */
static void collect_services(struct reader *r)
{
	for (const struct conf_service *line = r->c->lines; line; line = line->next) {
		const struct house_daemon *d = house_find(line->command);
		check_line(r, line);
		if (d && listens(d))
			add_service(r, d, line);
	}
	if (!r->c->services)
		tell(r, true, "master.cf", 0, "no service listens: nothing would ever be done");
	/* Backwards through the table: who asks comes behind who is asked, so one walk finds all. */
	for (size_t i = house_daemons_n; i-- > 0;) {
		const struct house_daemon *d = &house_daemons[i];
		const struct conf_service *own = r->c->lines;
		while (own && !str_eq(own->command, str_from(d->name)))
			own = own->next;
		if (needed(r->c, d) && !find_daemon(r->c, d->name))
			add_service(r, d, own);
	}
}

/* In the order of the house's table. */
static void sort_services(struct config *c)
{
	struct config_service *sorted = NULL, **end = &sorted;

	for (size_t i = 0; i < house_daemons_n; i++)
		for (struct config_service **at = &c->services; *at;) {
			struct config_service *s = *at;
			if (s->daemon != &house_daemons[i]) {
				at = &s->next;
				continue;
			}
			*at = s->next;
			s->next = NULL;
			*end = s;
			end = &s->next;
		}
	c->services = sorted;
}

/* lookupd alone opens tables, so it must know which of them smtpd may ask for. */
static void tell_tables(struct reader *r)
{
	struct config_service *s = find_daemon(r->c, "lookupd");

	for (size_t i = 0; s && r->tables.n > 0 && i < *s->daemon->n_params; i++)
		if (strcmp(s->daemon->params[i].name, "smtpd_access_tables") == 0)
			s->values[i] = str_from(arena_printf(&r->c->arena, "%.*s%s%.*s", STR_ARG(s->values[i]),
							     s->values[i].n ? ", " : "", STR_ARG(buf_str(&r->tables))));
}

static void check_names(struct reader *r)
{
	char why[300];

	for (struct conf_assignment *a = r->c->main; a; a = a->next) {
		const struct conf_assignment *last = last_given(r->c->main, a->name);
		if (last != a) {
			snprintf(why, sizeof(why), "%.*s is given again in line %zu, which counts", STR_ARG(a->name), last->line);
			tell(r, false, "main.cf", a->line, why);
			continue;
		}
		check_name(r, a, "main.cf", a->line, "");
	}
}

static bool read_file(struct reader *r, const char *name, struct buf *text)
{
	char path[PATH_MAX], why[300];

	snprintf(path, sizeof(path), "%s/%s", r->c->folder, name);
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	text->limit = 4 << 20;
	if (fd >= 0 && fd_read_rest(fd, text) == 0)
		return true;
	snprintf(why, sizeof(why), "cannot be read: %m");
	tell(r, true, path, 0, why);
	return false;
}

bool config_read(const char *folder, const struct conf_report *report, struct config *out)
{
	scoped_buf struct buf main_text = { 0 }, master_text = { 0 };
	struct reader r = { .c = out, .report = report };
	struct conf_report counting = { count_told, &r };

	*out = (struct config){ .folder = folder };
	bool have_main = read_file(&r, "main.cf", &main_text);
	bool have_master = read_file(&r, "master.cf", &master_text);
	if (!have_main || !have_master)
		return false;
	conf_read_main(buf_str(&main_text), "main.cf", &out->arena, &counting, &out->main);
	conf_read_master(buf_str(&master_text), "master.cf", &out->arena, &counting, &out->lines);
	for (size_t i = 0; i < master_params_n; i++) {
		struct str ignored;
		read_param(&r, &master_params[i], 0, &ignored);
	}
	collect_services(&r);
	sort_services(out);
	tell_tables(&r);
	buf_free(&r.tables);
	check_names(&r);
	return out->errors == 0;
}

void config_free(struct config *c)
{
	arena_free(&c->arena);
	*c = (struct config){ 0 };
}
