#include "smtp/restrict.h"

#include "base/utf8.h"
#include "conf/conf.h"
#include "conf/file.h"

static const char *const lists[RESTRICT_LISTS] = {
	[RESTRICT_CLIENT] = "smtpd_client_restrictions",       [RESTRICT_HELO] = "smtpd_helo_restrictions",
	[RESTRICT_SENDER] = "smtpd_sender_restrictions",       [RESTRICT_RELAY] = "smtpd_relay_restrictions",
	[RESTRICT_RECIPIENT] = "smtpd_recipient_restrictions", [RESTRICT_DATA] = "smtpd_data_restrictions",
};

bool restrict_list_of(struct str parameter, enum restrict_list *out)
{
	for (unsigned i = 0; i < RESTRICT_LISTS; i++)
		if (str_eq(parameter, str_from(lists[i]))) {
			*out = i;
			return true;
		}
	return false;
}

bool restrict_has_table(enum check check)
{
	return check >= CHECK_CLIENT_ACCESS && check <= CHECK_RECIPIENT_ACCESS;
}

enum arg { ARG_NONE, ARG_TABLE, ARG_DOMAIN };

static const struct word {
	const char *name;
	enum check check;
	enum arg arg;
} words[] = {
	{ "permit", CHECK_PERMIT, ARG_NONE },
	{ "reject", CHECK_REJECT, ARG_NONE },
	{ "defer", CHECK_DEFER, ARG_NONE },
	{ "permit_mynetworks", CHECK_PERMIT_MYNETWORKS, ARG_NONE },
	{ "permit_sasl_authenticated", CHECK_PERMIT_LOGIN, ARG_NONE },
	{ "permit_auth_destination", CHECK_PERMIT_OURS, ARG_NONE },
	{ "reject_unauth_destination", CHECK_REJECT_NOT_OURS, ARG_NONE },
	{ "defer_unauth_destination", CHECK_DEFER_NOT_OURS, ARG_NONE },
	{ "reject_unauth_pipelining", CHECK_PIPELINING, ARG_NONE },
	{ "reject_invalid_helo_hostname", CHECK_HELO_INVALID, ARG_NONE },
	{ "reject_invalid_hostname", CHECK_HELO_INVALID, ARG_NONE },
	{ "reject_non_fqdn_helo_hostname", CHECK_HELO_FQDN, ARG_NONE },
	{ "reject_non_fqdn_hostname", CHECK_HELO_FQDN, ARG_NONE },
	{ "reject_unknown_helo_hostname", CHECK_HELO_UNKNOWN, ARG_NONE },
	{ "reject_unknown_hostname", CHECK_HELO_UNKNOWN, ARG_NONE },
	{ "reject_non_fqdn_sender", CHECK_SENDER_FQDN, ARG_NONE },
	{ "reject_non_fqdn_recipient", CHECK_RECIPIENT_FQDN, ARG_NONE },
	{ "reject_unknown_sender_domain", CHECK_SENDER_DOMAIN, ARG_NONE },
	{ "reject_unknown_recipient_domain", CHECK_RECIPIENT_DOMAIN, ARG_NONE },
	{ "reject_unknown_client_hostname", CHECK_CLIENT_NAME, ARG_NONE },
	{ "reject_unknown_client", CHECK_CLIENT_NAME, ARG_NONE },
	{ "reject_unknown_reverse_client_hostname", CHECK_CLIENT_REVERSE, ARG_NONE },
	{ "reject_unlisted_sender", CHECK_SENDER_LISTED, ARG_NONE },
	{ "reject_unlisted_recipient", CHECK_RECIPIENT_LISTED, ARG_NONE },
	{ "reject_sender_login_mismatch", CHECK_SENDER_LOGIN, ARG_NONE },
	{ "reject_authenticated_sender_login_mismatch", CHECK_SENDER_LOGIN_AUTHENTICATED, ARG_NONE },
	{ "reject_unauthenticated_sender_login_mismatch", CHECK_SENDER_LOGIN_UNAUTHENTICATED, ARG_NONE },
	{ "reject_rbl_client", CHECK_RBL_CLIENT, ARG_DOMAIN },
	{ "reject_rhsbl_client", CHECK_RHSBL_CLIENT, ARG_DOMAIN },
	{ "reject_rhsbl_reverse_client", CHECK_RHSBL_REVERSE, ARG_DOMAIN },
	{ "reject_rhsbl_helo", CHECK_RHSBL_HELO, ARG_DOMAIN },
	{ "reject_rhsbl_sender", CHECK_RHSBL_SENDER, ARG_DOMAIN },
	{ "reject_rhsbl_recipient", CHECK_RHSBL_RECIPIENT, ARG_DOMAIN },
	{ "check_client_access", CHECK_CLIENT_ACCESS, ARG_TABLE },
	{ "check_reverse_client_hostname_access", CHECK_REVERSE_ACCESS, ARG_TABLE },
	{ "check_helo_access", CHECK_HELO_ACCESS, ARG_TABLE },
	{ "check_sender_access", CHECK_SENDER_ACCESS, ARG_TABLE },
	{ "check_recipient_access", CHECK_RECIPIENT_ACCESS, ARG_TABLE },
};

static const struct word *find_word(struct str name)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_ieq(name, str_from(words[i].name)))
			return &words[i];
	return NULL;
}

static bool unknown_word(struct str name, struct err *err)
{
	const char *near = NULL;
	size_t least = name.n / 3 + 1;

	if (name.n > 60 || !utf8_valid(name))
		return err_set(err, "'%.*s...' is no restriction", STR_ARG(str_head(name, 40)));
	for (size_t i = 0; i < COUNT(words); i++) {
		size_t d = conf_distance(name, str_from(words[i].name));
		if (d < least) {
			least = d;
			near = words[i].name;
		}
	}
	return err_set(err, "'%.*s' is no restriction that is known here%s%s%s", STR_ARG(name),
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* ---- lists in the DNS ---- */

/* A number, or "[2;4..7]"; false: neither. `value` < 0: only the form is looked at. */
static bool filter_part(struct str *text, int value, bool *fits)
{
	bool set = str_eat(text, '['), more = true;

	for (*fits = false; more;) {
		uint64_t from, to;
		size_t n = 0;
		while (n < text->n && ascii_digit(text->p[n]))
			n++;
		if (!str_u64(str_head(*text, n), 255, &from))
			return false;
		*text = str_skip(*text, n);
		to = from;
		if (set && str_eat_word(text, STR(".."))) {
			for (n = 0; n < text->n && ascii_digit(text->p[n]);)
				n++;
			if (!str_u64(str_head(*text, n), 255, &to) || to < from)
				return false;
			*text = str_skip(*text, n);
		}
		*fits = *fits || (value >= (int)from && value <= (int)to);
		more = set && str_eat(text, ';');
	}
	return !set || str_eat(text, ']');
}

static bool filter_ok(struct str filter)
{
	bool ignored;

	for (int i = 0; i < 4; i++)
		if (!filter_part(&filter, -1, &ignored) || (i < 3 && !str_eat(&filter, '.')))
			return false;
	return filter.n == 0;
}

bool restrict_filter_has(struct str filter, const uint8_t address[4])
{
	if (filter.n == 0)
		return address[0] == 127 && !(address[1] == 255 && address[2] == 255);
	for (int i = 0; i < 4; i++) {
		bool fits;
		if (!filter_part(&filter, address[i], &fits) || !fits)
			return false;
		str_eat(&filter, '.');
	}
	return true;
}

/* Letters, digits, dots and dashes: what a domain is made of. */
static bool domain_ok(struct str domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!ascii_alnum(domain.p[i]) && domain.p[i] != '.' && domain.p[i] != '-' && domain.p[i] != '_')
			return false;
	return domain.n > 0 && domain.n <= 200 && domain.p[0] != '.' && str_find(domain, '.') > 0;
}

static bool take_domain(const struct word *w, struct str item, struct arena *arena, struct restrict_step *step,
			struct err *err)
{
	struct str filter = item, domain = str_cut(&filter, '=');

	if (!domain_ok(domain))
		return err_set(err, "%s: '%.*s' is no domain", w->name, STR_ARG(str_head(item, 60)));
	if (domain.n < item.n && !filter_ok(filter))
		return err_set(err, "%s: '%.*s' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]", w->name,
			       STR_ARG(str_head(filter, 60)));
	step->arg = arena_str(arena, domain);
	step->filter = arena_str(arena, filter);
	return true;
}

/* ---- steps ---- */

static bool is_table(struct str item)
{
	return item.p[0] != '{' && str_find(item, ':') > 0;
}

static bool take_table(const char *word, struct str item, bool tables, struct arena *arena, struct restrict_step *step,
		       struct err *err)
{
	if (!tables)
		return err_set(err, "%s: no table may stand in the row of a table", word);
	if (!is_table(item))
		return err_set(err, "%s: '%.*s' is no table: write type:name", word, STR_ARG(str_head(item, 60)));
	str_eat_word(&item, STR("proxy:"));
	step->arg = arena_str(arena, item);
	return true;
}

/* A table alone means the check of the list in which it stands. */
static enum check own_access(enum restrict_list list)
{
	static const enum check own[RESTRICT_LISTS] = {
		[RESTRICT_CLIENT] = CHECK_CLIENT_ACCESS,       [RESTRICT_HELO] = CHECK_HELO_ACCESS,
		[RESTRICT_SENDER] = CHECK_SENDER_ACCESS,       [RESTRICT_RELAY] = CHECK_RECIPIENT_ACCESS,
		[RESTRICT_RECIPIENT] = CHECK_RECIPIENT_ACCESS, [RESTRICT_DATA] = CHECK_RECIPIENT_ACCESS,
	};

	return own[list];
}

static bool take_step(struct str item, struct str *rest, enum restrict_list list, bool tables, struct arena *arena,
		      struct restrict_step *step, struct err *err)
{
	const struct word *w = find_word(item);
	struct str arg;

	if (!w && is_table(item)) {
		step->check = own_access(list);
		return take_table("a table", item, tables, arena, step, err);
	}
	if (!w)
		return unknown_word(item, err);
	step->check = w->check;
	if (w->arg == ARG_NONE)
		return true;
	if (!conf_list_next(rest, &arg))
		return err_set(err, "%s: %s must follow", w->name, w->arg == ARG_TABLE ? "a table" : "a domain");
	return w->arg == ARG_TABLE ? take_table(w->name, arg, tables, arena, step, err)
				   : take_domain(w, arg, arena, step, err);
}

bool restrict_parse(struct str text, enum restrict_list list, bool tables, struct arena *arena,
		    struct restrict_program *out, struct err *err)
{
	struct str rest = text, item;
	size_t most = 0;
	bool warn = false;

	while (conf_list_next(&rest, &item))
		most++;
	if (most > RESTRICT_STEPS_MAX)
		return err_set(err, "more than %d words", RESTRICT_STEPS_MAX);
	*out = (struct restrict_program){ .steps = arena_array(arena, most + 1, sizeof(*out->steps)) };
	if (!out->steps)
		return err_set(err, "too long");
	while (conf_list_next(&text, &item)) {
		if (str_ieq(item, STR("warn_if_reject"))) {
			warn = true;
			continue;
		}
		struct restrict_step *step = &out->steps[out->n++];
		step->warn = warn;
		warn = false;
		if (!take_step(item, &text, list, tables, arena, step, err))
			return false;
	}
	return !warn || err_set(err, "warn_if_reject: a restriction must follow");
}
