#include "expand.h"

#include "mail/addr.h"
#include "mail/alias_list.h"
#include "route.h"

/* An address on its way. */
struct node {
	struct address address;
	const struct node *parent; /* the alias that led here; NULL: it was given */
	struct node *root;
	struct node *next; /* to look at */
	struct str given;  /* of roots: as it was given */
	size_t depth;
	size_t descendants;	       /* of roots */
	bool no_virtual, no_alias;     /* it led to itself there: leave it */
	bool no_forward;	       /* \user: the mailbox */
	bool self_virtual, self_alias; /* one of its values is itself */
	struct str target;	       /* a command, file or list of the alias that the address is; else empty */
	struct str sender;	       /* who hears of errors */
};

struct expansion {
	struct policy *policy;
	struct str sender;
	struct arena arena;
	struct node *first, **end;
	size_t n;
	struct table finals;
	struct routes *out;
	struct reply why; /* code 0: fine so far */
};

static void expansion_free(struct expansion *x)
{
	table_free(&x->finals);
	arena_free(&x->arena);
}

static bool fail(struct expansion *x, struct reply why)
{
	x->why = why;
	return false;
}

static bool trouble(struct expansion *x, const struct node *n)
{
	return fail(x, decide_trouble(n->address.whole));
}

/* ---- the list of nodes ---- */

/*
 * An address that leads back to one of its own ancestors is a loop, unless that ancestor has itself among its values:
 * "team: team, boss" and "boss: boss, team" is a way to say that each gets a copy.
 */
static bool check_ancestors(struct expansion *x, struct node *n)
{
	bool back = false, self_virtual = false, self_alias = false;

	for (const struct node *up = n->parent; up; up = up->parent) {
		if (!str_ieq(up->address.whole, n->address.whole))
			continue;
		back = true;
		self_virtual |= up->self_virtual;
		self_alias |= up->self_alias;
	}
	if (back && !self_virtual && !self_alias)
		return fail(x, reply_make(451, 4, 4, 6, "<%.*s>: alias loop: it leads back to <%.*s>",
					  STR_ARG(n->root->given), STR_ARG(n->address.whole)));
	n->no_virtual |= back;
	n->no_alias |= self_alias;
	return true;
}

static bool check_limits(struct expansion *x, const struct node *n)
{
	if (n->depth > x->policy->recursion_limit)
		return fail(x, reply_make(451, 4, 4, 6, "<%.*s>: aliases of aliases are nested deeper than %zu",
					  STR_ARG(n->root->given), x->policy->recursion_limit));
	if (++n->root->descendants > x->policy->expansion_limit)
		return fail(x, reply_make(452, 4, 5, 3, "<%.*s>: alias expands to more than %zu recipients",
					  STR_ARG(n->root->given), x->policy->expansion_limit));
	if (++x->n > EXPAND_NODES_MAX)
		return fail(x, REPLY(452, 4, 5, 3, "Too many recipients after alias expansion"));
	return true;
}

static void append(struct expansion *x, struct node *n)
{
	*x->end = n;
	x->end = &n->next;
}

static struct node *new_child(struct expansion *x, const struct node *parent)
{
	struct node *n = arena_alloc(&x->arena, sizeof(*n));

	*n = (struct node){ .parent = parent, .root = parent->root, .sender = parent->sender, .depth = parent->depth + 1 };
	return n;
}

static bool add_child(struct expansion *x, struct node *child)
{
	if (!check_limits(x, child) || !check_ancestors(x, child))
		return false;
	append(x, child);
	return true;
}

/* ---- values of alias tables ---- */

static bool bad_item(struct expansion *x, const struct node *n, struct str item, const char *why)
{
	return fail(x, reply_make(451, 4, 3, 5, "<%.*s>: alias value '%.*s' %s", STR_ARG(n->address.whole),
				  STR_ARG(str_head(item, 80)), why));
}

/* The items of a value become children, by `add`. An empty value would make the mail vanish. */
static bool each_item(struct expansion *x, struct node *n, struct str value,
		      bool (*add)(struct expansion *x, struct node *n, const struct alias_item *item, enum address_form form),
		      enum address_form form)
{
	scoped_alias_list struct alias_list list = { .rest = value };
	struct alias_item item;
	size_t count = 0;

	for (; alias_list_next(&list, &item); count++) {
		if (item.kind == ALIAS_BAD)
			return bad_item(x, n, item.text, "is no address, command, file or list");
		if (!add(x, n, &item, form))
			return false;
	}
	return count > 0 || bad_item(x, n, value, "holds no address");
}

/* ---- virtual_alias_maps ---- */

/* "@other" keeps the local part; an extension that the key had not is added to every address. */
static bool virtual_item(struct expansion *x, struct node *n, const struct alias_item *value, enum address_form form)
{
	struct node *child = new_child(x, n);
	struct str item = arena_str(&x->arena, value->text), local, domain;

	if (value->kind != ALIAS_ADDRESS)
		return bad_item(x, n, item, "is no address: only alias_maps may have others");
	addr_split(item, &local, &domain);
	if (local.n == 0)
		item = str_from(arena_printf(&x->arena, "%.*s@%.*s", STR_ARG(n->address.local), STR_ARG(domain)));
	else if (form == FORM_PLAIN && local.p[0] != '"')
		item = str_from(arena_printf(&x->arena, "%.*s%c%.*s%s%.*s", STR_ARG(local),
					     n->address.local.p[n->address.user.n], STR_ARG(n->address.extension),
					     domain.n ? "@" : "", STR_ARG(domain)));
	if (!address_take(x->policy, item, &x->arena, &child->address))
		return bad_item(x, n, item, "is no address");
	n->self_virtual |= str_ieq(child->address.whole, n->address.whole);
	return add_child(x, child);
}

/* *found: it was an alias, its values are nodes now. False: x->why. */
static bool expand_virtual(struct expansion *x, struct node *n, bool *found)
{
	scoped_buf struct buf value = { 0 };
	enum address_form form = FORM_FULL;
	enum dict_result r = DICT_MISSING;

	if (!n->no_virtual)
		r = address_find(x->policy, &x->policy->virtual_alias, &n->address, FORM_ALL, &value, &form);
	if (r == DICT_ERROR)
		return trouble(x, n);
	*found = r == DICT_FOUND;
	return !*found || each_item(x, n, buf_str(&value), virtual_item, form);
}

/* ---- alias_maps ---- */

static const char *not_allowed(const struct policy *p, enum alias_kind kind)
{
	/* a stranger chooses the address, and $1 would put it into the command */
	if (maps_have_patterns(&p->alias))
		return "is no address: those may not stand in alias_maps together with a table of patterns";
	if (kind == ALIAS_COMMAND && !p->alias_commands)
		return "is a command: allow_mail_to_commands does not have alias";
	if (kind == ALIAS_FILE && !p->alias_files)
		return "is a file: allow_mail_to_files does not have alias";
	if (str_ieq(p->default_privs, STR("root")))
		return "needs default_privs to be another account than root";
	return NULL;
}

/* A final recipient of its own: the alias' address, with the command, file or list as its target. */
static bool target_item(struct expansion *x, struct node *n, const struct alias_item *item)
{
	const char *why = not_allowed(x->policy, item->kind);
	struct node *child = new_child(x, n);

	if (why)
		return bad_item(x, n, item->text, why);
	child->address = n->address;
	child->target = arena_str(&x->arena, item->text);
	if (!check_limits(x, child))
		return false;
	append(x, child);
	return true;
}

static bool alias_item(struct expansion *x, struct node *n, const struct alias_item *item, enum address_form form)
{
	struct node *child;

	(void)form;
	if (item->kind != ALIAS_ADDRESS && item->kind != ALIAS_MAILBOX)
		return target_item(x, n, item);
	child = new_child(x, n);
	if (!address_take(x->policy, item->text, &x->arena, &child->address))
		return bad_item(x, n, item->text, "is no address");
	n->self_alias |= str_ieq(child->address.whole, n->address.whole);
	child->no_virtual = child->no_alias = child->no_forward = item->kind == ALIAS_MAILBOX;
	return add_child(x, child);
}

/* Errors of a list's mail go to owner-LIST, when there is one. What is a bounce itself stays one. */
static bool take_owner(struct expansion *x, struct node *n, enum address_form form)
{
	scoped_buf struct buf value = { 0 };
	struct str name = form == FORM_PLAIN ? n->address.user : n->address.local;
	struct str owner = str_from(arena_printf(&x->arena, "owner-%.*s", STR_ARG(name)));
	enum dict_result r = n->sender.n ? maps_get(x->policy, &x->policy->alias, owner, &value) : DICT_MISSING;

	if (r == DICT_ERROR)
		return trouble(x, n);
	if (r == DICT_FOUND)
		n->sender = str_from(arena_printf(&x->arena, "%.*s@%.*s", STR_ARG(owner), STR_ARG(n->address.domain)));
	return true;
}

static bool expand_alias(struct expansion *x, struct node *n, bool *found)
{
	scoped_buf struct buf value = { 0 };
	enum address_form form = FORM_LOCAL;
	enum address_class class;

	*found = false;
	if (n->no_alias || x->policy->alias.n == 0)
		return true;
	if (!decide_class(x->policy, n->address.domain, &class))
		return trouble(x, n);
	if (class != CLASS_LOCAL)
		return true;
	enum dict_result r = address_find(x->policy, &x->policy->alias, &n->address, FORM_LOCAL, &value, &form);
	if (r == DICT_ERROR)
		return trouble(x, n);
	*found = r == DICT_FOUND;
	return !*found || (take_owner(x, n, form) && each_item(x, n, buf_str(&value), alias_item, form));
}

/* ---- finals ---- */

static bool put_final(struct expansion *x, const struct node *n, const struct way *way)
{
	struct str parts[ROUTE_PARTS] = { n->address.whole, n->root->given, way->transport,
					  way->nexthop,	    way->user,	    n->sender };

	for (size_t i = 0; i < ROUTE_PARTS; i++)
		if (!strs_add(&x->out->raw, &x->out->list, parts[i]))
			return fail(x, REPLY(452, 4, 5, 3, "Too many recipients after alias expansion"));
	return true;
}

static bool add_final(struct expansion *x, struct node *n)
{
	scoped_buf struct buf key = { 0 };
	struct way way = { STR("local"), n->target, x->policy->default_privs };

	addr_key(n->address.whole, &key);
	buf_addc(&key, '\0');
	buf_add(&key, n->target);
	if (table_set(&x->finals, buf_str(&key), n))
		return true;
	if (n->target.n > 0)
		return put_final(x, n, &way);
	struct reply why = route_find(x->policy, &n->address, n->sender, &x->arena, &way);
	if (why.code != 250)
		return fail(x, why);
	if (n->no_forward && str_eq(way.transport, STR("local")))
		way.nexthop = STR("\\");
	return put_final(x, n, &way);
}

static bool expand_node(struct expansion *x, struct node *n)
{
	bool found = false;

	if (n->target.n > 0)
		return add_final(x, n);
	if (!expand_virtual(x, n, &found))
		return false;
	if (!found && !expand_alias(x, n, &found))
		return false;
	return found || add_final(x, n);
}

static bool add_root(struct expansion *x, struct str given)
{
	struct node *n = arena_alloc(&x->arena, sizeof(*n));

	*n = (struct node){ .root = n, .given = given, .sender = x->sender };
	if (!address_take(x->policy, given, &x->arena, &n->address))
		return fail(x, reply_make(550, 5, 1, 3, "<%.*s>: Bad recipient address syntax", STR_ARG(given)));
	append(x, n);
	return true;
}

static struct reply run(struct expansion *x, const struct strs *given, const uint32_t *authority)
{
	struct str s;
	size_t at = 0;

	x->end = &x->first;
	x->out->raw.limit = EXPAND_ROUTES_MAX;
	while (!x->why.code && strs_next(given, &at, &s))
		add_root(x, s);
	for (struct node *n = x->first; n && !x->why.code; n = n->next) {
		struct reply r = { .code = 250 };
		if (authority && !n->parent)
			r = decide_given(x->policy, *authority, n->given, &n->address);
		if (r.code != 250)
			fail(x, r);
		else
			expand_node(x, n);
	}
	return x->why.code ? x->why : REPLY(250, 2, 0, 0, "Ok");
}

struct reply expand(struct policy *p, uint32_t authority, struct str sender, const struct strs *given, struct routes *out)
{
	__attribute__((cleanup(expansion_free))) struct expansion x = { .policy = p, .sender = sender, .out = out };

	return run(&x, given, &authority);
}

struct reply expand_check(struct policy *p, struct str recipient)
{
	scoped_routes struct routes out = { 0 };
	__attribute__((cleanup(expansion_free))) struct expansion x = { .policy = p, .out = &out };
	scoped_buf struct buf raw = { 0 };
	struct strs given = { 0 };

	strs_add(&raw, &given, recipient);
	return run(&x, &given, NULL);
}

static bool has_target(struct str value, struct str target)
{
	scoped_alias_list struct alias_list list = { .rest = value };
	struct alias_item item;

	while (alias_list_next(&list, &item))
		if (item.kind >= ALIAS_COMMAND && item.kind < ALIAS_BAD && str_eq(item.text, target))
			return true;
	return false;
}

struct reply expand_has_target(struct policy *p, struct str address, struct str target)
{
	const struct reply no = REPLY(550, 5, 1, 1, "The alias does not have it");
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf value = { 0 };
	enum address_class class;
	struct address a;

	if (!address_take(p, address, &arena, &a))
		return no;
	if (!decide_class(p, a.domain, &class))
		return decide_trouble(address);
	enum dict_result r = class == CLASS_LOCAL ? address_find(p, &p->alias, &a, FORM_LOCAL, &value, NULL) : DICT_MISSING;
	if (r == DICT_ERROR)
		return decide_trouble(address);
	bool command = str_starts(target, STR("|")), file = str_starts(target, STR("/"));
	bool allowed = (command ? p->alias_commands : !file || p->alias_files) && !maps_have_patterns(&p->alias);
	return r == DICT_FOUND && allowed && has_target(buf_str(&value), target) ? REPLY(250, 2, 0, 0, "Ok") : no;
}
