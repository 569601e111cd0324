#include "decide.h"

#include "ipc/messages.h"

static const struct reply yes = { .code = 250, .enh = { 2, 1, 5 }, .text = "Ok" };

bool decide_class(struct policy *p, struct str domain, enum address_class *out)
{
	const struct maps *lists[] = { &p->mydestination, &p->virtual_alias_domains, &p->virtual_mailbox_domains,
				       &p->relay_domains };
	unsigned at = CLASS_LOCAL;

	for (; at < CLASS_OTHER; at++) {
		enum dict_result r = domain_find(p, lists[at], domain);
		if (r == DICT_ERROR)
			return false;
		if (r == DICT_FOUND)
			break;
	}
	*out = at;
	return true;
}

struct reply decide_trouble(struct str text)
{
	return reply_make(451, 4, 3, 0, "<%.*s>: Temporary lookup failure", STR_ARG(text));
}

static struct reply relay_denied(struct str recipient)
{
	return reply_make(554, 5, 7, 1, "<%.*s>: Relay access denied", STR_ARG(recipient));
}

/* ---- recipients ---- */

static const struct {
	const char *table;
	unsigned forms;
} known[] = {
	[CLASS_LOCAL] = { "local recipient table", FORM_ALL },
	[CLASS_ALIAS] = { "virtual alias table", 0 },
	[CLASS_MAILBOX] = { "virtual mailbox table", FORM_MAILBOX },
	[CLASS_RELAY] = { "relay recipient table", FORM_ALL },
};

static enum dict_result exists(struct policy *p, enum address_class class, const struct address *a)
{
	const struct maps *lists[] = { [CLASS_LOCAL] = &p->local_recipient,
				       [CLASS_ALIAS] = &p->virtual_alias,
				       [CLASS_MAILBOX] = &p->virtual_mailbox,
				       [CLASS_RELAY] = &p->relay_recipient };
	scoped_buf struct buf value = { 0 };
	enum dict_result r = address_find(p, &p->virtual_alias, a, FORM_ALL, &value, NULL);

	if (r == DICT_MISSING && class == CLASS_LOCAL)
		r = address_find(p, &p->alias, a, FORM_LOCAL, &value, NULL);
	if (r != DICT_MISSING || class == CLASS_ALIAS)
		return r;
	if (lists[class]->n == 0)
		return DICT_FOUND;
	return address_find(p, lists[class], a, known[class].forms, &value, NULL);
}

/*
 * Who may not relay may not name a further host either, in ways that the next server could understand: user%other@ours,
 * other!user@ours, "user@other"@ours.
 */
static bool is_routed(struct str local)
{
	return str_find(local, '%') >= 0 || str_find(local, '!') >= 0 || str_find(local, '@') >= 0;
}

static struct reply decide_existence(struct policy *p, enum address_class class, struct str recipient,
				     const struct address *a)
{
	enum dict_result r = class == CLASS_OTHER ? DICT_FOUND : exists(p, class, a);

	if (r == DICT_ERROR)
		return decide_trouble(recipient);
	if (r == DICT_MISSING)
		return reply_make(550, 5, 1, 1, "<%.*s>: Recipient address rejected: User unknown in %s",
				  STR_ARG(recipient), known[class].table);
	return yes;
}

static struct reply decide(struct policy *p, bool may_relay, struct str recipient, const struct address *a)
{
	enum address_class class;

	if (!decide_class(p, a->domain, &class))
		return decide_trouble(recipient);
	if (!may_relay && (class == CLASS_OTHER || is_routed(a->local)))
		return relay_denied(recipient);
	return decide_existence(p, class, recipient, a);
}

struct reply decide_recipient(struct policy *p, uint32_t authority, struct str login, struct str recipient)
{
	scoped_arena struct arena arena = { 0 };
	bool may_relay = authority == AUTHORITY_LOCAL || (authority == AUTHORITY_SUBMISSION && login.n > 0);
	struct address a;

	if (!address_take(p, recipient, &arena, &a))
		return REPLY(501, 5, 1, 3, "Bad recipient address syntax");
	return decide(p, may_relay, recipient, &a);
}

struct reply decide_given(struct policy *p, uint32_t authority, struct str recipient, const struct address *a)
{
	if (authority == AUTHORITY_LOCAL || authority == AUTHORITY_SUBMISSION)
		return yes;
	return decide(p, false, recipient, a);
}

/* ---- senders ---- */

static bool is_login(const struct policy *p, struct str login, struct str name)
{
	scoped_arena struct arena arena = { 0 };
	struct address l, n;

	return address_take(p, login, &arena, &l) && address_take(p, name, &arena, &n) && str_ieq(l.whole, n.whole);
}

static bool is_own(const struct address *login, const struct address *sender)
{
	return str_eq(login->domain, sender->domain) &&
	       (str_ieq(login->local, sender->local) || str_ieq(login->local, sender->user));
}

static bool lists_login(const struct policy *p, struct str logins, struct str login)
{
	struct str item;

	while (conf_list_next(&logins, &item))
		if (is_login(p, login, item))
			return true;
	return false;
}

static struct reply not_owned(struct str sender, struct str login)
{
	return reply_make(553, 5, 7, 1, "<%.*s>: Sender address rejected: not owned by user %.*s", STR_ARG(sender),
			  STR_ARG(login));
}

struct reply decide_sender(struct policy *p, uint32_t authority, struct str login, struct str sender)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf value = { 0 };
	struct address s, l;

	if (sender.n > 0 && !address_take(p, sender, &arena, &s))
		return REPLY(501, 5, 1, 7, "Bad sender address syntax");
	if (sender.n == 0 || login.n == 0 || authority == AUTHORITY_LOCAL)
		return yes;
	if (address_take(p, login, &arena, &l) && is_own(&l, &s))
		return yes;
	enum dict_result r = address_find(p, &p->sender_login, &s, FORM_ALL, &value, NULL);
	if (r == DICT_ERROR)
		return decide_trouble(sender);
	return r == DICT_FOUND && lists_login(p, buf_str(&value), login) ? yes : not_owned(sender, login);
}

/* ---- restrictions ---- */

static struct reply decide_owned(struct policy *p, struct str text, const struct address *a)
{
	scoped_buf struct buf value = { 0 };

	switch (address_find(p, &p->sender_login, a, FORM_ALL, &value, NULL)) {
	case DICT_MISSING: return yes;
	case DICT_ERROR: return decide_trouble(text);
	default: break;
	}
	return reply_make(553, 5, 7, 1, "<%.*s>: Sender address rejected: not logged in", STR_ARG(text));
}

struct reply decide_address(struct policy *p, enum address_question what, struct str text)
{
	scoped_arena struct arena arena = { 0 };
	enum address_class class;
	struct address a;

	if (!address_take(p, text, &arena, &a))
		return REPLY(501, 5, 1, 3, "Bad address syntax");
	if (what == ADDRESS_OWNED)
		return decide_owned(p, text, &a);
	if (!decide_class(p, a.domain, &class))
		return decide_trouble(text);
	if (what == ADDRESS_LISTED)
		return decide_existence(p, class, text, &a);
	return class == CLASS_OTHER || is_routed(a.local) ? relay_denied(text) : yes;
}
