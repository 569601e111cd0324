#include "access.h"

#include "mail/addr.h"

const struct maps *access_table(struct policy *p, struct str spec)
{
	for (size_t i = 0; i < p->n_access; i++)
		if (str_eq(p->access[i].spec, spec))
			return &p->access[i].maps;
	return NULL;
}

/* "dom.ain" and ".dom.ain" for each parent. */
static enum dict_result find_parents(struct policy *p, const struct maps *m, struct str name, struct buf *value)
{
	enum dict_result r = DICT_MISSING;
	ptrdiff_t dot;

	while (r == DICT_MISSING && name.n > 1 && (dot = str_find(str_skip(name, 1), '.')) >= 0) {
		struct str with_dot = str_skip(name, (size_t)dot + 1);
		name = str_skip(with_dot, 1);
		r = name.n > 0 ? maps_get_part(p, m, name, value) : DICT_MISSING;
		if (r == DICT_MISSING)
			r = maps_get_part(p, m, with_dot, value);
	}
	return r;
}

static enum dict_result find_name(struct policy *p, const struct maps *m, struct str name, struct buf *value)
{
	enum dict_result r = name.n > 0 ? maps_get(p, m, name, value) : DICT_MISSING;

	/* of an address in brackets there are no parents */
	if (r != DICT_MISSING || (name.n > 0 && name.p[0] == '['))
		return r;
	return find_parents(p, m, name, value);
}

/* 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8::1, 2001:db8, 2001. */
static enum dict_result find_host(struct policy *p, const struct maps *m, struct str address, struct buf *value)
{
	char delimiter = str_find(address, ':') >= 0 ? ':' : '.';
	enum dict_result r = address.n > 0 ? maps_get(p, m, address, value) : DICT_MISSING;
	ptrdiff_t at;

	while (r == DICT_MISSING && (at = str_rfind(address, delimiter)) > 0) {
		address = str_head(address, (size_t)at);
		while (address.n > 0 && address.p[address.n - 1] == delimiter)
			address.n--;
		if (address.n > 0)
			r = maps_get_part(p, m, address, value);
	}
	return r;
}

static enum dict_result find_local(struct policy *p, const struct maps *m, struct str local, struct buf *value)
{
	char key[ADDR_OCTETS_MAX + 1];

	memcpy(key, local.p, local.n);
	key[local.n] = '@';
	return maps_get_part(p, m, str_of(key, local.n + 1), value);
}

static enum dict_result find_mailbox(struct policy *p, const struct maps *m, struct str text, struct buf *value)
{
	scoped_arena struct arena arena = { 0 };
	struct address a;

	if (text.n == 0)
		return maps_get(p, m, STR("<>"), value);
	if (!address_take(p, text, &arena, &a))
		return maps_get(p, m, text, value);
	enum dict_result r = address_find(p, m, &a, FORM_FULL | FORM_PLAIN, value, NULL);
	if (r == DICT_MISSING)
		r = maps_get_part(p, m, a.domain, value);
	if (r == DICT_MISSING)
		r = find_parents(p, m, a.domain, value);
	if (r == DICT_MISSING)
		r = find_local(p, m, a.local, value);
	return r == DICT_MISSING && a.extended ? find_local(p, m, a.user, value) : r;
}

enum dict_result access_find(struct policy *p, const struct maps *table, enum access_key kind, struct str name,
			     struct str address, struct buf *value)
{
	enum dict_result r;

	switch (kind) {
	case ACCESS_KEY_CLIENT:
		r = find_name(p, table, name, value);
		return r == DICT_MISSING ? find_host(p, table, address, value) : r;
	case ACCESS_KEY_NAME: return find_name(p, table, name, value);
	case ACCESS_KEY_ADDRESS: return find_mailbox(p, table, address, value);
	}
	return DICT_ERROR;
}
