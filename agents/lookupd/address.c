#include "address.h"

#include "base/utf8.h"
#include "mail/addr.h"

/* The ASCII grammar holds for UTF-8 too, when each of its octets counts as a letter. */
static bool is_valid(struct str text)
{
	char plain[ADDR_OCTETS_MAX + 1];

	if (text.n > ADDR_OCTETS_MAX || !utf8_valid(text))
		return false;
	for (size_t i = 0; i < text.n; i++)
		plain[i] = (unsigned char)text.p[i] < 0x80 ? text.p[i] : 'x';
	return addr_valid(str_of(plain, text.n));
}

bool address_take(const struct policy *p, struct str text, struct arena *arena, struct address *out)
{
	struct str local, domain;
	bool has_domain = addr_split(text, &local, &domain);

	*out = (struct address){ 0 };
	if (text.n > ADDR_OCTETS_MAX)
		return false;
	if (!has_domain)
		domain = p->myorigin;
	char *copy = arena_try(arena, local.n + 1 + domain.n + 1);
	if (!copy)
		return false;
	memcpy(copy, local.p, local.n);
	copy[local.n] = '@';
	for (size_t i = 0; i < domain.n; i++)
		copy[local.n + 1 + i] = ascii_lower(domain.p[i]);
	out->whole = str_of(copy, local.n + 1 + domain.n);
	out->local = str_head(out->whole, local.n);
	out->domain = str_skip(out->whole, local.n + 1);
	out->extended = addr_extension(out->local, p->delimiter, &out->user, &out->extension);
	return is_valid(out->whole);
}

enum dict_result domain_find(struct policy *p, const struct maps *m, struct str domain)
{
	scoped_buf struct buf value = { 0 };

	return maps_get(p, m, domain, &value);
}

/* Without a domain the key is the local part alone. */
static enum dict_result find_key(struct policy *p, const struct maps *m, struct str local, struct str domain, bool part,
				 struct buf *value)
{
	char room[ADDR_OCTETS_MAX + 2];
	struct str key = local;

	if (domain.n > 0) {
		memcpy(room, local.p, local.n);
		room[local.n] = '@';
		memcpy(room + local.n + 1, domain.p, domain.n);
		key = str_of(room, local.n + 1 + domain.n);
	}
	return part ? maps_get_part(p, m, key, value) : maps_get(p, m, key, value);
}

static enum dict_result is_local(struct policy *p, const struct address *a)
{
	if (str_eq(a->domain, p->myorigin))
		return DICT_FOUND;
	return domain_find(p, &p->mydestination, a->domain);
}

enum dict_result address_find(struct policy *p, const struct maps *m, const struct address *a, unsigned forms,
			      struct buf *value, enum address_form *form)
{
	const struct {
		enum address_form form, told;
		struct str local, domain;
	} keys[] = {
		{ FORM_FULL, FORM_FULL, a->local, a->domain },	  { FORM_PLAIN, FORM_PLAIN, a->user, a->domain },
		{ FORM_LOCAL, FORM_LOCAL, a->local, STR("") },	  { FORM_LOCAL, FORM_PLAIN, a->user, STR("") },
		{ FORM_DOMAIN, FORM_DOMAIN, STR(""), a->domain },
	};

	bool part = false;

	if (m->n > 0 && forms & FORM_LOCAL) {
		enum dict_result local = is_local(p, a);
		if (local == DICT_ERROR)
			return local;
		if (local == DICT_MISSING)
			forms &= ~(unsigned)FORM_LOCAL;
	}
	for (size_t i = 0; m->n > 0 && i < COUNT(keys); i++) {
		if (!(keys[i].form & forms) || (keys[i].told == FORM_PLAIN && !a->extended))
			continue;
		enum dict_result r = find_key(p, m, keys[i].local, keys[i].domain, part, value);
		part = true;
		if (form)
			*form = keys[i].told;
		if (r != DICT_MISSING)
			return r;
	}
	return DICT_MISSING;
}
