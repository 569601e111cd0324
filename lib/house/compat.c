#include "house/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "io/fd.h"

/* `value` when theirs is `when` (NULL: whatever it is); NULL: theirs as it stands. The first that fits counts. */
static const struct {
	const char *theirs, *ours, *when, *value;
} aliases[] = {
	{ "smtpd_tls_chain_files", "tls_cert_file", NULL, NULL },
	{ "smtpd_tls_cert_file", "tls_cert_file", "none", "" },
	{ "smtpd_tls_cert_file", "tls_cert_file", NULL, NULL },
	{ "smtpd_tls_chain_files", "tls_key_file", NULL, NULL },
	{ "smtpd_tls_key_file", "tls_key_file", NULL, NULL },
	{ "smtpd_enforce_tls", "smtpd_tls_security_level", "yes", "encrypt" },
	{ "smtpd_use_tls", "smtpd_tls_security_level", "yes", "may" },
	{ "smtpd_use_tls", "smtpd_tls_security_level", "no", "none" },
	{ "smtp_enforce_tls", "smtp_tls_security_level", "yes", "verify" },
	{ "smtp_use_tls", "smtp_tls_security_level", "yes", "may" },
	{ "smtp_use_tls", "smtp_tls_security_level", "no", "none" },
	{ "virtual_minimum_uid", "first_valid_uid", NULL, NULL },
	/* Postfix delivers to the accounts of its host */
	{ "compatibility_level", "auth_system_users", NULL, "yes" },
};

static const struct {
	const char *name, *value;
} facts[] = { { "mail_name", "Tayori" },
	      { "mail_version", "" },
	      { "mail_spool_directory", "/var/mail" },
	      { "data_directory", "/var/lib/tayori" } };

static bool is_listed(struct str name)
{
	char word[128];

	/* longer than any */
	if (name.n == 0 || name.n > 100)
		return false;
	snprintf(word, sizeof(word), " %.*s ", STR_ARG(name));
	return strstr(compat_postfix_names, word) != NULL;
}

bool compat_is_postfix(struct str name)
{
	char word[128];

	if (is_listed(name))
		return true;
	/* those of a transport are told by what is behind its name */
	for (size_t i = 1; i < name.n && name.n <= 100; i++) {
		struct str rest = str_skip(name, i);
		if (rest.p[0] != '_')
			continue;
		snprintf(word, sizeof(word), "default%.*s", STR_ARG(rest));
		if (is_listed(str_from(word)) || str_eq(rest, STR("_time_limit")))
			return true;
	}
	return false;
}

static struct conf_assignment *given(const struct conf_assignment *main, struct str name)
{
	const struct conf_assignment *found = NULL;

	for (; main; main = main->next)
		if (str_eq(main->name, name))
			found = main;
	return (struct conf_assignment *)(uintptr_t)found;
}

static bool fits(size_t row, const struct conf_assignment *a)
{
	return !aliases[row].when || str_ieq(a->value, str_from(aliases[row].when));
}

bool compat_value(struct conf_assignment *main, struct str ours, struct str *value)
{
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (!str_eq(ours, str_from(aliases[i].ours)))
			continue;
		struct conf_assignment *a = given(main, str_from(aliases[i].theirs));
		if (a && fits(i, a)) {
			a->used = true;
			*value = aliases[i].value ? str_from(aliases[i].value) : a->value;
			return true;
		}
	}
	return false;
}

bool compat_fact(struct str name, struct str *value)
{
	for (size_t i = 0; i < COUNT(facts); i++)
		if (str_eq(name, str_from(facts[i].name))) {
			*value = str_from(facts[i].value);
			return true;
		}
	return false;
}

/* ---- values ---- */

static bool begins_item(struct str whole, size_t at)
{
	return at == 0 || whole.p[at - 1] == ',' || whole.p[at - 1] == ' ' || whole.p[at - 1] == '\t' ||
	       whole.p[at - 1] == '{';
}

/* The octets to leave out at the item's begin, and what stands for them. */
static size_t old_type(struct str item, const char **now)
{
	static const char *const types[] = { "hash:", "btree:", "dbm:", "proxy:" };
	static const char *const behind_proxy[] = { "hash:",  "btree:", "dbm:",	   "texthash:", "lmdb:",
						    "unix:",  "pcre:",	"regexp:", "cidr:",	"ldap:",
						    "mysql:", "pgsql:", "sqlite:" };

	for (size_t i = 0; i < COUNT(types); i++) {
		struct str rest = item;
		if (!str_starts(item, str_from(types[i])))
			continue;
		rest = str_skip(rest, strlen(types[i]));
		bool proxy = types[i][0] == 'p', path = str_starts(rest, STR("/")) || str_starts(rest, STR("$"));
		for (size_t k = 0; proxy && !path && k < COUNT(behind_proxy); k++)
			path = str_starts(rest, str_from(behind_proxy[k]));
		*now = proxy ? "" : "texthash:";
		return path ? strlen(types[i]) : 0;
	}
	return 0;
}

bool compat_tables(struct buf *value)
{
	scoped_buf struct buf out = { .limit = value->limit };
	struct str whole = buf_str(value);
	bool changed = false;

	for (size_t at = 0; at < whole.n;) {
		const char *now = "";
		size_t n = begins_item(whole, at) ? old_type(str_skip(whole, at), &now) : 0;
		changed = changed || n > 0;
		if (n > 0) {
			buf_add(&out, str_from(now));
			at += n;
			/* behind proxy: another type */
			n = !now[0] ? old_type(str_skip(whole, at), &now) : 0;
			if (n > 0 && now[0])
				buf_add(&out, str_from(now));
			at += n;
			continue;
		}
		buf_addc(&out, whole.p[at++]);
	}
	if (!changed)
		return false;
	buf_reset(value);
	return buf_add(value, buf_str(&out));
}

bool compat_protocols(struct buf *value)
{
	struct str rest = buf_str(value), item;
	bool four = false, six = false;

	while (conf_list_next(&rest, &item)) {
		four = four || str_ieq(item, STR("ipv4"));
		six = six || str_ieq(item, STR("ipv6"));
	}
	if (!four || !six)
		return false;
	buf_reset(value);
	return buf_add(value, STR("all"));
}

bool compat_first_line(struct str path, struct buf *out)
{
	scoped_buf struct buf text = { .limit = 64 * 1024 };
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%.*s", STR_ARG(path));
	scoped_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fd_read_rest(fd, &text) < 0)
		return false;
	struct str rest = buf_str(&text);
	buf_add(out, str_trim(str_cut(&rest, '\n')));
	errno = EINVAL;
	return out->n > 0;
}

/* ---- what is told ---- */

static bool tell_alias(const struct conf_assignment *main, const struct conf_assignment *a, struct buf *why)
{
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (!str_eq(a->name, str_from(aliases[i].theirs)) || !fits(i, a))
			continue;
		bool both = given(main, str_from(aliases[i].ours)) != NULL;
		struct str value = aliases[i].value ? str_from(aliases[i].value) : a->value;
		if (both)
			buf_addf(why, "%.*s: not used, since %s is given", STR_ARG(a->name), aliases[i].ours);
		else
			buf_addf(why, "%.*s: it is taken as %s = %.*s", STR_ARG(a->name), aliases[i].ours,
				 STR_ARG(value));
		return true;
	}
	return false;
}

bool compat_tell(const struct conf_assignment *main, const struct conf_assignment *a, bool known, struct buf *why)
{
	scoped_buf struct buf value = { 0 };

	if (tell_alias(main, a, why))
		return true;
	if (!known && compat_is_postfix(a->name) && !compat_fact(a->name, &(struct str){ 0 }))
		return buf_addf(why, "%.*s: not known to Tayori, and without effect", STR_ARG(a->name));
	buf_add(&value, a->value);
	if (known && compat_tables(&value))
		return buf_addf(why,
				"%.*s: read as %.*s: the text that postmap would compile, which needs no postmap (or "
				"use lmdb:)",
				STR_ARG(a->name), STR_ARG(buf_str(&value)));
	return false;
}
