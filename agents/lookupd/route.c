#include "route.h"

#include "dict/user.h"

/* CLASS_ALIAS: no such user, which the delivery will tell the sender. */
static struct str preset(const struct policy *p, enum address_class class)
{
	const struct str all[] = { [CLASS_LOCAL] = p->local_transport,
				   [CLASS_ALIAS] = STR("virtual"),
				   [CLASS_MAILBOX] = p->virtual_transport,
				   [CLASS_RELAY] = p->relay_transport,
				   [CLASS_OTHER] = p->default_transport };

	return all[class];
}

/* ---- mailbox users ---- */

static struct str lower(struct str s, struct arena *arena)
{
	char *copy = arena_alloc(arena, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		copy[i] = ascii_lower(s.p[i]);
	return str_of(copy, s.n);
}

/* An account may be called user+ext; else the extension is not part of its name. */
static bool account_name(struct policy *p, const struct address *a, struct arena *arena, struct str *out)
{
	scoped_buf struct buf value = { 0 };
	enum dict_result r = a->extended ? maps_get_part(p, &p->local_recipient, a->local, &value) : DICT_MISSING;

	*out = lower(r == DICT_FOUND ? a->local : a->user, arena);
	return r != DICT_ERROR;
}

/* The value of a table names the user when it looks like one; Postfix's own tables have a path or any word there. */
static bool mailbox_name(struct policy *p, const struct address *a, struct arena *arena, struct str *out)
{
	scoped_buf struct buf value = { 0 }, name = { 0 };
	enum address_form form = FORM_PLAIN;
	enum dict_result r = address_find(p, &p->virtual_mailbox, a, FORM_MAILBOX, &value, &form);
	struct str base = form == FORM_FULL && r == DICT_FOUND ? a->local : a->user;

	if (r == DICT_ERROR)
		return false;
	bool named = r == DICT_FOUND && str_find(buf_str(&value), '@') > 0 &&
		     user_canonical(buf_str(&value), STR(""), &name);
	if (named)
		*out = arena_str(arena, buf_str(&name));
	else
		*out = lower(str_from(arena_printf(arena, "%.*s@%.*s", STR_ARG(base), STR_ARG(a->domain))), arena);
	return true;
}

static bool find_user(struct policy *p, const struct address *a, struct arena *arena, struct way *way)
{
	if (str_eq(way->transport, STR("local")))
		return account_name(p, a, arena, &way->user);
	if (str_eq(way->transport, STR("virtual")))
		return mailbox_name(p, a, arena, &way->user);
	return true;
}

/* ---- transport_maps ---- */

/* The address, then the domain, its parents as ".parent", then "*" (Postfix's transport(5)). */
static enum dict_result find_transport(struct policy *p, const struct address *a, struct buf *value)
{
	struct str domain = a->domain;
	enum dict_result r = address_find(p, &p->transport, a, FORM_FULL | FORM_PLAIN, value, NULL);

	if (r == DICT_MISSING)
		r = maps_get_part(p, &p->transport, domain, value);
	while (r == DICT_MISSING && domain.n > 1) {
		ptrdiff_t dot = str_find(str_skip(domain, 1), '.');
		if (dot < 0)
			break;
		domain = str_skip(domain, (size_t)dot + 1);
		r = maps_get_part(p, &p->transport, domain, value);
	}
	return r == DICT_MISSING ? maps_get_part(p, &p->transport, STR("*"), value) : r;
}

static bool is_known(struct str transport)
{
	static const char *const known[] = { "local", "virtual", "relay", "smtp", "lmtp" };

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_eq(transport, str_from(known[i])))
			return true;
	return false;
}

/* "transport:nexthop", either part may be empty. */
static bool take_transport(struct str value, enum address_class class, struct arena *arena, struct way *way)
{
	struct str name = str_trim(str_cut(&value, ':'));

	value = str_trim(value);
	if (value.n > 0)
		way->nexthop = arena_str(arena, value);
	if (name.n > 0)
		way->transport = arena_str(arena, name);
	/* The queue lets mail from anyone go by relay, never by smtp: to our own domains it is relaying by that word too. */
	if (class != CLASS_OTHER && str_eq(way->transport, STR("smtp")))
		way->transport = STR("relay");
	return is_known(way->transport);
}

static struct reply unknown_transport(const struct address *a, const char *where, const struct way *way)
{
	return reply_make(451, 4, 3, 5, "<%.*s>: %s names '%.*s', which is none of local, virtual, relay, smtp, lmtp",
			  STR_ARG(a->whole), where, STR_ARG(way->transport));
}

/* The sender's own relayhost, else the one for all; what is not for elsewhere needs none. */
static bool find_relayhost(struct policy *p, struct str sender, struct arena *arena, struct way *way)
{
	scoped_buf struct buf value = { 0 };
	struct address s;
	enum dict_result r = DICT_MISSING;

	if (p->sender_relayhost.n > 0 && sender.n > 0 && address_take(p, sender, arena, &s))
		r = address_find(p, &p->sender_relayhost, &s, FORM_FULL | FORM_PLAIN | FORM_DOMAIN, &value, NULL);
	if (r == DICT_FOUND)
		way->nexthop = arena_str(arena, str_trim(buf_str(&value)));
	else if (p->relayhost.n > 0)
		way->nexthop = p->relayhost;
	return r != DICT_ERROR;
}

struct reply route_find(struct policy *p, const struct address *a, struct str sender, struct arena *arena, struct way *out)
{
	scoped_buf struct buf value = { 0 };
	enum address_class class;
	enum dict_result r = DICT_MISSING;

	if (!decide_class(p, a->domain, &class))
		return decide_trouble(a->whole);
	*out = (struct way){ .nexthop = a->domain };
	if (!take_transport(preset(p, class), class, arena, out))
		return unknown_transport(a, "the transport of its class", out);
	if (p->transport.n > 0)
		r = find_transport(p, a, &value);
	if (r == DICT_ERROR)
		return decide_trouble(a->whole);
	struct str before = out->nexthop;
	if (r == DICT_FOUND && !take_transport(buf_str(&value), class, arena, out))
		return unknown_transport(a, "transport_maps", out);
	bool own_way = r == DICT_FOUND && !str_eq(before, out->nexthop);
	if (class == CLASS_OTHER && !own_way && str_eq(out->transport, STR("smtp")) && str_eq(out->nexthop, a->domain) &&
	    !find_relayhost(p, sender, arena, out))
		return decide_trouble(a->whole);
	if (!find_user(p, a, arena, out))
		return decide_trouble(a->whole);
	return REPLY(250, 2, 0, 0, "Ok");
}
