#include "remote.h"

#include "address.h"

enum { PARENTS_MAX = 32 };

static bool level_ok(struct str level)
{
	static const char *const levels[] = { "none", "may", "encrypt", "verify", "secure" };

	for (size_t i = 0; i < COUNT(levels); i++)
		if (str_eq(level, str_from(levels[i])))
			return true;
	return false;
}

/* "[host]:port" as it is, then without the port, then without brackets. */
static enum dict_result find_hop(struct policy *p, const struct maps *m, struct str hop, struct buf *value)
{
	enum dict_result r = maps_get(p, m, hop, value);
	ptrdiff_t colon = str_rfind(hop, ':');
	bool port = colon > 0 && (hop.p[0] != '[' || hop.p[colon - 1] == ']');
	struct str host = port ? str_head(hop, (size_t)colon) : hop;

	if (r == DICT_MISSING && port)
		r = maps_get(p, m, host, value);
	if (r == DICT_MISSING && host.n > 2 && host.p[0] == '[')
		r = maps_get(p, m, str_of(host.p + 1, host.n - 2), value);
	return r;
}

/* A domain's parents as ".parent" (Postfix's smtp_tls_policy_maps). */
static enum dict_result find_parent(struct policy *p, const struct maps *m, struct str hop, struct buf *value)
{
	enum dict_result r = DICT_MISSING;

	for (int i = 0; i < PARENTS_MAX && r == DICT_MISSING; i++) {
		ptrdiff_t dot = str_find(str_skip(hop, 1), '.');
		if (dot < 0)
			break;
		hop = str_skip(hop, (size_t)dot + 1);
		r = maps_get_part(p, m, hop, value);
	}
	return r;
}

static void fail(struct remote_policy_answer *out, struct arena *arena, const char *what, struct str hop)
{
	*out = (struct remote_policy_answer){ .code = 451,
					       .text = str_from(arena_printf(arena, "%s: %.*s", what, STR_ARG(hop))) };
}

/* "level match=a:b other=..."; what is not known counts for nothing but is no reason to send in clear. */
static bool take_policy(struct str value, struct arena *arena, struct remote_policy_answer *out)
{
	struct str item;

	if (!conf_list_next(&value, &item) || !level_ok(item))
		return false;
	out->tls = arena_str(arena, item);
	while (conf_list_next(&value, &item)) {
		if (!str_eat_word(&item, STR("match=")))
			continue;
		char *names = arena_printf(arena, "%.*s", STR_ARG(item));
		for (char *c = names; *c; c++)
			if (*c == ':')
				*c = ' ';
		out->match = str_from(names);
	}
	return true;
}

static bool find_tls(struct policy *p, const struct remote_policy *q, struct arena *arena, struct remote_policy_answer *out)
{
	scoped_buf struct buf value = { 0 };
	bool lmtp = str_eq(q->transport, STR("lmtp"));
	enum dict_result r = find_hop(p, &p->tls_policy, q->nexthop, &value);

	out->tls = lmtp ? p->lmtp_tls_level : p->tls_level;
	if (r == DICT_MISSING)
		r = find_parent(p, &p->tls_policy, q->nexthop, &value);
	if (r == DICT_ERROR)
		fail(out, arena, "smtp_tls_policy_maps cannot answer", q->nexthop);
	else if (r == DICT_FOUND && !take_policy(buf_str(&value), arena, out))
		fail(out, arena, "smtp_tls_policy_maps has no level of none, may, encrypt, verify, secure", q->nexthop);
	return out->code == 250;
}

static enum dict_result find_password(struct policy *p, const struct remote_policy *q, struct arena *arena, struct buf *value)
{
	enum dict_result r = DICT_MISSING;
	struct address s;

	if (p->by_sender && q->sender.n > 0 && address_take(p, q->sender, arena, &s))
		r = address_find(p, &p->passwords, &s, FORM_FULL | FORM_PLAIN | FORM_DOMAIN, value, NULL);
	if (r == DICT_MISSING)
		r = find_hop(p, &p->passwords, q->nexthop, value);
	if (r == DICT_MISSING && q->host.n > 0)
		r = maps_get(p, &p->passwords, q->host, value);
	return r;
}

void remote_find(struct policy *p, const struct remote_policy *q, struct arena *arena, struct remote_policy_answer *out)
{
	scoped_buf struct buf value = { 0 };

	*out = (struct remote_policy_answer){ .code = 250, .text = STR("ok") };
	if (!find_tls(p, q, arena, out) || !p->log_in || str_eq(q->transport, STR("lmtp")))
		return;
	enum dict_result r = find_password(p, q, arena, &value);
	if (r == DICT_ERROR)
		fail(out, arena, "smtp_sasl_password_maps cannot answer", q->nexthop);
	if (r != DICT_FOUND)
		return;
	struct str password = arena_str(arena, str_trim(buf_str(&value)));
	out->user = str_cut(&password, ':');
	out->password = password;
	explicit_bzero(value.p, value.n);
}
