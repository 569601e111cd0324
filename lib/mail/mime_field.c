#include "mail/inner.h"

enum { TOKEN_MAX = 127 }; /* RFC 6838, 4.2; what is longer is no type */

/* Eats what stands before the next ';' and it too. */
static void skip_to_param(struct str *s)
{
	bool closed;

	while (s->n > 0 && s->p[0] != ';') {
		size_t n = 1;
		if (s->p[0] == '(')
			n = lex_comment(*s);
		else if (s->p[0] == '"')
			n = lex_quoted(*s, &closed);
		*s = str_skip(*s, n);
	}
	str_eat(s, ';');
}

static struct str take_value(struct str *s, struct arena *a)
{
	size_t n = 0;
	bool closed;

	if (s->n > 0 && s->p[0] == '"') {
		n = lex_quoted(*s, &closed);
		struct str inner = str_of(s->p + 1, n - 1 - closed);
		*s = str_skip(*s, n);
		return lex_plain(inner, true, a);
	}
	while (n < s->n && (uint8_t)s->p[n] > ' ' && s->p[n] != ';' && s->p[n] != '(')
		n++;
	struct str value = str_head(*s, n);
	*s = str_skip(*s, n);
	return value;
}

static struct mime_param *param_new(struct str name, struct str value, struct arena *a)
{
	struct mime_param *p = arena_try(a, sizeof(*p));

	if (p)
		*p = (struct mime_param){ .name = name, .value = value };
	return p;
}

/* The next "name=" in `s`; some forget the ';' before it. */
static bool take_name(struct str *s, struct str *name)
{
	while (s->n > 0) {
		lex_skip(s);
		*name = lex_token(s);
		lex_skip(s);
		if (name->n > 0 && str_eat(s, '='))
			return true;
		skip_to_param(s);
	}
	return false;
}

static struct mime_param *read_params(struct str s, struct arena *a)
{
	struct mime_param *first = NULL, **link = &first;
	struct str name;

	for (size_t n = 0; n < MIME_PARAMS_MAX && take_name(&s, &name); n++) {
		lex_skip(&s);
		*link = param_new(name, take_value(&s, a), a);
		if (!*link)
			break;
		link = &(*link)->next;
	}
	return first;
}

static void set_text(struct mime_part *p, struct mime_param *params, struct arena *a)
{
	p->type = STR("text");
	p->subtype = STR("plain");
	p->params = params;
	if (mime_param(params, STR("charset")).n == 0) {
		p->params = param_new(STR("charset"), STR("us-ascii"), a);
		if (p->params)
			p->params->next = params;
	}
}

static void read_type(struct mime_part *p, struct str value, struct arena *a)
{
	struct str type, subtype = { 0 };

	if (p->type.p)
		return;
	lex_skip(&value);
	type = lex_token(&value);
	lex_skip(&value);
	if (str_eat(&value, '/')) {
		lex_skip(&value);
		subtype = lex_token(&value);
	}
	struct mime_param *params = read_params(value, a);
	if (type.n == 0 || subtype.n == 0 || type.n > TOKEN_MAX || subtype.n > TOKEN_MAX) {
		set_text(p, params, a);
		return;
	}
	p->type = type;
	p->subtype = subtype;
	p->params = params;
}

static void read_encoding(struct mime_part *p, struct str value, struct arena *a)
{
	(void)a;
	if (p->encoding.p)
		return;
	lex_skip(&value);
	struct str token = lex_token(&value);
	lex_skip(&value);
	bool more = lex_token(&value).n > 0; /* "8 bit" */
	p->encoding = token.n > 0 && token.n <= TOKEN_MAX && !more ? token : STR("7bit");
}

static void read_disposition(struct mime_part *p, struct str value, struct arena *a)
{
	if (p->disposition.p)
		return;
	lex_skip(&value);
	p->disposition = lex_token(&value);
	if (p->disposition.n > 0)
		p->disposition_params = read_params(value, a);
}

static void read_language(struct mime_part *p, struct str value, struct arena *a)
{
	if (p->language.p)
		return;
	char *kept = arena_try(a, value.n + 1);
	size_t n = 0;
	if (!kept)
		return;
	while (value.n > 0) {
		lex_skip(&value);
		if (value.n > 0)
			kept[n++] = value.p[0];
		value = str_skip(value, 1);
	}
	p->language = str_of(kept, n);
}

static void read_plain(struct str *out, struct str value, struct arena *a)
{
	if (!out->p)
		*out = lex_plain(lex_trim(value), false, a);
}

static void read_id(struct mime_part *p, struct str value, struct arena *a)
{
	read_plain(&p->id, value, a);
}

static void read_description(struct mime_part *p, struct str value, struct arena *a)
{
	read_plain(&p->description, value, a);
}

static void read_md5(struct mime_part *p, struct str value, struct arena *a)
{
	read_plain(&p->md5, value, a);
}

static void read_location(struct mime_part *p, struct str value, struct arena *a)
{
	read_plain(&p->location, value, a);
}

static const struct {
	struct str name;
	void (*read)(struct mime_part *p, struct str value, struct arena *a);
} fields[] = {
	{ STR("Content-Type"), read_type },
	{ STR("Content-Transfer-Encoding"), read_encoding },
	{ STR("Content-Disposition"), read_disposition },
	{ STR("Content-ID"), read_id },
	{ STR("Content-Description"), read_description },
	{ STR("Content-MD5"), read_md5 },
	{ STR("Content-Language"), read_language },
	{ STR("Content-Location"), read_location },
};

void mime_field(struct mime_part *p, const struct header_field *f, struct arena *a)
{
	if (!str_istarts(f->name, STR("Content-")))
		return;
	for (size_t i = 0; i < COUNT(fields); i++)
		if (str_ieq(f->name, fields[i].name))
			fields[i].read(p, f->value, a);
}

void mime_fields_end(struct mime_part *p, struct arena *a)
{
	struct mime_part *parent = p->parent;

	if (!p->type.p && parent && parent->multipart && str_ieq(parent->subtype, STR("digest"))) {
		p->type = STR("message");
		p->subtype = STR("rfc822");
	}
	if (!p->type.p)
		set_text(p, NULL, a);
	if (!p->encoding.p)
		p->encoding = STR("7bit");
	p->multipart = str_ieq(p->type, STR("multipart"));
	p->message = str_ieq(p->type, STR("message")) &&
		     (str_ieq(p->subtype, STR("rfc822")) || str_ieq(p->subtype, STR("global")));
}
