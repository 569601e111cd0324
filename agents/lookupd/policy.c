#include "policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

/* in the order of the choices of smtp_tls_security_level */
static const char *const levels[] = { "none", "may", "encrypt", "verify", "secure" };

enum { TELL_MS = 60000, RETRY_MS = 5000 };

struct source {
	struct source *next;
	struct str spec;
	struct dict *dict; /* NULL: not open */
	bool lent;
	bool told;
	int64_t told_ms, retry_ms;
};

static void tell(struct policy *p, struct source *s, const char *text)
{
	char line[400];

	if (s->told && p->now_ms - s->told_ms < TELL_MS)
		return;
	s->told = true;
	s->told_ms = p->now_ms;
	snprintf(line, sizeof(line), "table %s", text);
	p->world.tell(p->world.arg, line);
}

static void tell_warning(struct policy *p, struct source *s)
{
	char text[360];

	if (!*dict_warning(s->dict))
		return;
	snprintf(text, sizeof(text), "%.*s: %s", STR_ARG(str_head(s->spec, 120)), dict_warning(s->dict));
	tell(p, s, text);
}

static void source_open(struct policy *p, struct source *s)
{
	struct err err = { 0 };

	s->retry_ms = p->now_ms + RETRY_MS;
	s->dict = p->world.open(p->world.arg, s->spec, &err);
	if (s->dict)
		tell_warning(p, s);
	else
		tell(p, s, err.text);
}

static void source_borrow(struct policy *p, struct source *s)
{
	if (str_eq(s->spec, STR("unix:passwd.byname")))
		s->dict = p->world.accounts;
	else if (str_eq(s->spec, STR("unix:group.byname")))
		s->dict = p->world.groups;
	else
		tell(p, s, "unix: known are unix:passwd.byname and unix:group.byname");
}

/* proxy: tells Postfix to ask another process, which is what lookupd is anyway. */
static struct source *source_find(struct policy *p, struct str spec)
{
	struct source *s = p->sources;

	str_eat_word(&spec, STR("proxy:"));
	while (s && !str_eq(s->spec, spec))
		s = s->next;
	if (s)
		return s;
	s = arena_alloc(&p->arena, sizeof(*s));
	s->spec = arena_str(&p->arena, spec);
	s->next = p->sources;
	p->sources = s;
	s->lent = str_starts(spec, STR("unix:"));
	if (s->lent)
		source_borrow(p, s);
	else
		source_open(p, s);
	return s;
}

static struct str lower(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		copy[i] = ascii_lower(s.p[i]);
	return str_of(copy, s.n);
}

static void maps_open(struct policy *p, struct maps *m, struct str value)
{
	struct str rest = value, item;
	size_t n = 0;

	while (conf_list_next(&rest, &item))
		n++;
	m->items = arena_alloc(&p->arena, (n + 1) * sizeof(*m->items));
	while (conf_list_next(&value, &item)) {
		/* [IPv6:...] is a domain, not a table */
		bool is_table = item.p[0] != '[' && str_find(item, ':') > 0;
		struct maps_item *i = &m->items[m->n++];
		if (is_table)
			i->source = source_find(p, item);
		else
			i->name = lower(&p->arena, item);
	}
}

static void access_open(struct policy *p, struct str value)
{
	struct str rest = value, item;
	size_t n = 0;

	while (conf_list_next(&rest, &item))
		n++;
	p->access = arena_alloc(&p->arena, (n + 1) * sizeof(*p->access));
	while (conf_list_next(&value, &item)) {
		struct access_table *a = &p->access[p->n_access++];
		str_eat_word(&item, STR("proxy:"));
		a->spec = arena_str(&p->arena, item);
		maps_open(p, &a->maps, a->spec);
	}
}

void policy_open(struct policy *p, const struct lookupd_conf *conf, const struct policy_world *world, int64_t now_ms)
{
	*p = (struct policy){ .world = *world, .now_ms = now_ms };
	p->myorigin = lower(&p->arena, conf->myorigin);
	p->delimiter = arena_str(&p->arena, conf->recipient_delimiter);
	p->recursion_limit = (size_t)conf->virtual_alias_recursion_limit;
	p->expansion_limit = (size_t)conf->virtual_alias_expansion_limit;
	maps_open(p, &p->mydestination, conf->mydestination);
	maps_open(p, &p->local_recipient, conf->local_recipient_maps);
	maps_open(p, &p->alias, conf->alias_maps);
	maps_open(p, &p->virtual_alias_domains, conf->virtual_alias_domains);
	maps_open(p, &p->virtual_alias, conf->virtual_alias_maps);
	maps_open(p, &p->virtual_mailbox_domains, conf->virtual_mailbox_domains);
	maps_open(p, &p->virtual_mailbox, conf->virtual_mailbox_maps);
	maps_open(p, &p->relay_domains, conf->relay_domains);
	maps_open(p, &p->relay_recipient, conf->relay_recipient_maps);
	maps_open(p, &p->sender_login, conf->smtpd_sender_login_maps);
	maps_open(p, &p->transport, conf->transport_maps);
	maps_open(p, &p->sender_relayhost, conf->sender_dependent_relayhost_maps);
	maps_open(p, &p->tls_policy, conf->smtp_tls_policy_maps);
	maps_open(p, &p->passwords, conf->smtp_sasl_password_maps);
	access_open(p, conf->smtpd_access_tables);
	p->local_transport = arena_str(&p->arena, conf->local_transport);
	p->virtual_transport = arena_str(&p->arena, conf->virtual_transport);
	p->relay_transport = arena_str(&p->arena, conf->relay_transport);
	p->default_transport = arena_str(&p->arena, conf->default_transport);
	p->relayhost = arena_str(&p->arena, conf->relayhost);
	p->tls_level = str_from(levels[conf->smtp_tls_security_level]);
	p->lmtp_tls_level = str_from(levels[conf->lmtp_tls_security_level]);
	p->log_in = conf->smtp_sasl_auth_enable;
	p->by_sender = conf->smtp_sender_dependent_authentication;
	p->default_privs = arena_str(&p->arena, conf->default_privs);
	p->alias_commands = conf_list_has(conf->allow_mail_to_commands, STR("alias"));
	p->alias_files = conf_list_has(conf->allow_mail_to_files, STR("alias"));
}

void policy_close(struct policy *p)
{
	for (struct source *s = p->sources; s; s = s->next)
		if (!s->lent)
			dict_close(s->dict);
	arena_free(&p->arena);
	*p = (struct policy){ 0 };
}

static void source_refresh(struct policy *p, struct source *s)
{
	struct err err = { 0 };

	if (s->lent)
		return;
	if (!s->dict) {
		if (p->now_ms >= s->retry_ms)
			source_open(p, s);
		return;
	}
	switch (dict_changed(s->dict, p->now_ms, &err)) {
	case DICT_SAME: return;
	case DICT_NEW: tell_warning(p, s); return;
	case DICT_STALE: tell(p, s, err.text); return;
	}
}

void policy_refresh(struct policy *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	for (struct source *s = p->sources; s; s = s->next)
		source_refresh(p, s);
}

static enum dict_result source_get(struct policy *p, struct source *s, struct str key, struct buf *value)
{
	struct err err = { 0 };

	if (!s->dict)
		return DICT_ERROR;
	enum dict_result r = dict_get(s->dict, key, value, &err);
	if (r == DICT_ERROR) {
		char text[400];
		snprintf(text, sizeof(text), "%.*s: %s", STR_ARG(str_head(s->spec, 120)), err.text);
		tell(p, s, text);
	}
	return r;
}

static bool is_pattern(const struct maps_item *item)
{
	return item->source && item->source->dict && dict_is_pattern(item->source->dict);
}

bool maps_have_patterns(const struct maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (is_pattern(&m->items[i]))
			return true;
	return false;
}

static bool is_left_out(const struct maps_item *item, bool part)
{
	return part && is_pattern(item);
}

static enum dict_result get(struct policy *p, const struct maps *m, struct str key, bool part, struct buf *value)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct maps_item *item = &m->items[i];
		if (is_left_out(item, part))
			continue;
		if (!item->source && str_ieq(item->name, key)) {
			buf_reset(value);
			return buf_add(value, key) ? DICT_FOUND : DICT_ERROR;
		}
		enum dict_result r = item->source ? source_get(p, item->source, key, value) : DICT_MISSING;
		if (r != DICT_MISSING)
			return r;
	}
	return DICT_MISSING;
}

enum dict_result maps_get(struct policy *p, const struct maps *m, struct str key, struct buf *value)
{
	return get(p, m, key, false, value);
}

enum dict_result maps_get_part(struct policy *p, const struct maps *m, struct str key, struct buf *value)
{
	return get(p, m, key, true, value);
}
