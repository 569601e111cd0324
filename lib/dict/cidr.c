/* cidr - networks in order, as in Postfix's cidr_table(5). */
#include "dict/rules.h"

static const char *take_net(struct str *line, struct rule *r)
{
	size_t n = 0;

	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	struct str text = str_head(*line, n);
	*line = str_skip(*line, n);
	return net_parse(text, &r->net);
}

static int fits(const struct rules *rules, const struct rule *r, const struct rules_key *key, struct err *err)
{
	(void)rules;
	(void)err;
	return net_has(&r->net, &key->address);
}

static enum dict_result give(const struct rules *rules, const struct rule *r, const struct rules_key *key,
			     struct buf *value, struct err *err)
{
	(void)rules;
	(void)key;
	if (buf_add(value, r->value))
		return DICT_FOUND;
	err_set(err, "the value is too long");
	return DICT_ERROR;
}

const struct rules_kind cidr_rules = { .most = 100000, .take = take_net, .fits = fits, .give = give };

bool cidr_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	scoped_buf struct buf text = { 0 };

	return content_read(d, &text, stamp, err) && rules_read(&cidr_rules, buf_str(&text), c, err);
}

enum dict_result cidr_get(const struct content *c, struct str text, struct buf *value, struct err *err)
{
	struct rules_key key = { .text = text };

	return net_address(text, &key.address) ? rules_get(c->rules, &key, value, err) : DICT_MISSING;
}
