#include "smtp/path.h"

#include <arpa/inet.h>

#include "base/utf8.h"

static bool is_atext(char c, bool utf8)
{
	if ((uint8_t)c >= 0x80)
		return utf8;
	return ascii_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_label(char c, bool utf8)
{
	return ascii_alnum(c) || c == '-' || c == '_' || (utf8 && (uint8_t)c >= 0x80);
}

/* What may stand in a quoted string behind a backslash; without one, all of these but '"' and '\'. */
static bool is_quotable(char c, bool utf8)
{
	return (uint8_t)c >= 0x80 ? utf8 : c >= ' ' && c <= '~';
}

static bool take_dot_string(struct str *in, bool utf8)
{
	do {
		size_t n = 0;
		while (n < in->n && is_atext(in->p[n], utf8))
			n++;
		if (n == 0)
			return false;
		*in = str_skip(*in, n);
	} while (str_eat(in, '.'));
	return true;
}

static bool take_quoted(struct str *in, bool utf8)
{
	*in = str_skip(*in, 1);
	while (in->n > 0 && in->p[0] != '"') {
		str_eat(in, '\\');
		if (in->n == 0 || !is_quotable(in->p[0], utf8))
			return false;
		*in = str_skip(*in, 1);
	}
	return str_eat(in, '"');
}

/* Steps back to the first byte behind the limit when `taken` is longer. */
static bool within(struct str taken, size_t most, struct str *in)
{
	if (taken.n <= most)
		return true;
	*in = str_of(taken.p + most, in->n + taken.n - most);
	return false;
}

static bool take_local(struct str *in, bool utf8, struct str *out)
{
	struct str start = *in;
	bool quoted = in->n > 0 && in->p[0] == '"';

	if (quoted ? !take_quoted(in, utf8) : !take_dot_string(in, utf8))
		return false;
	*out = str_head(start, start.n - in->n);
	return within(*out, PATH_LOCAL_MAX, in);
}

static bool take_label(struct str *in, bool utf8)
{
	size_t n = 0;

	while (n < in->n && is_label(in->p[n], utf8))
		n++;
	if (n == 0 || in->p[0] == '-')
		return false;
	struct str label = str_head(*in, n);
	*in = str_skip(*in, n);
	/* the limit is one of the encoded form, which a UTF-8 label does not show */
	if (ascii_only(label) && !within(label, PATH_LABEL_MAX, in))
		return false;
	return label.p[n - 1] != '-' || within(label, n - 1, in);
}

bool path_take_domain(struct str *in, unsigned flags, struct str *out)
{
	struct str start = *in;

	do {
		if (!take_label(in, flags & PATH_UTF8))
			return false;
	} while (str_eat(in, '.'));
	*out = str_head(start, start.n - in->n);
	return within(*out, PATH_DOMAIN_MAX, in);
}

static bool take_literal(struct str *in, struct str *out)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char address[16];
	ptrdiff_t close = str_find(*in, ']');

	if (close < 0)
		return false;
	struct str inner = str_skip(str_head(*in, (size_t)close), 1);
	bool six = str_eat_word(&inner, STR("IPv6:"));
	if (inner.n >= sizeof(text) || str_find(inner, '\0') >= 0)
		return false;
	memcpy(text, inner.p, inner.n);
	if (inet_pton(six ? AF_INET6 : AF_INET, text, address) != 1)
		return false;
	*out = str_head(*in, (size_t)close + 1);
	*in = str_skip(*in, (size_t)close + 1);
	return true;
}

static bool skip_route(struct str *in, unsigned flags)
{
	struct str hop;

	if (in->n == 0 || in->p[0] != '@')
		return true;
	do {
		if (!str_eat(in, '@') || !path_take_domain(in, flags, &hop))
			return false;
	} while (str_eat(in, ','));
	return str_eat(in, ':');
}

/* What stands between the brackets, the closing one included. */
static bool take_mailbox(struct str *in, unsigned flags, struct path *out, struct err *err)
{
	if (!take_local(in, flags & PATH_UTF8, &out->local))
		return err_at(err, *in, "bad local part");
	if ((flags & PATH_POSTMASTER) && str_ieq(out->local, STR("postmaster")) && str_eat(in, '>'))
		return true;
	if (!str_eat(in, '@'))
		return err_at(err, *in, "expected '@'");
	bool literal = in->n > 0 && in->p[0] == '[';
	if (literal ? !take_literal(in, &out->domain) : !path_take_domain(in, flags, &out->domain))
		return err_at(err, *in, "bad domain");
	if (!str_eat(in, '>'))
		return err_at(err, *in, "expected '>'");
	return true;
}

bool path_parse(struct str *in, unsigned flags, struct path *out, struct err *err)
{
	struct str start = *in;

	*out = (struct path){ 0 };
	if ((flags & PATH_UTF8) && !utf8_valid(*in))
		return err_at(err, *in, "not UTF-8");
	if (!str_eat(in, '<'))
		return err_at(err, *in, "expected '<'");
	if ((flags & PATH_NULL) && str_eat(in, '>'))
		return true;
	if (!skip_route(in, flags))
		return err_at(err, *in, "bad source route");
	if (!take_mailbox(in, flags, out, err))
		return false;
	if (!within(str_head(start, start.n - in->n), PATH_OCTETS_MAX, in))
		return err_at(err, *in, "path too long");
	return true;
}

/* Adds what the quoted string `local` stands for; with `quote`, as a quoted string with as few backslashes as can be. */
static bool add_unquoted(struct str local, bool quote, struct buf *out)
{
	bool ok = !quote || buf_addc(out, '"');

	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\')
			i++;
		if (quote && (local.p[i] == '"' || local.p[i] == '\\'))
			ok = ok && buf_addc(out, '\\');
		ok = ok && buf_addc(out, local.p[i]);
	}
	return ok && (!quote || buf_addc(out, '"'));
}

static bool add_local(struct str local, struct buf *out)
{
	size_t before = out->n;

	if (local.n == 0 || local.p[0] != '"')
		return buf_add(out, local);
	if (!add_unquoted(local, false, out))
		return false;
	struct str plain = str_skip(buf_str(out), before);
	if (take_dot_string(&plain, true) && plain.n == 0)
		return true;
	out->n = before;
	return add_unquoted(local, true, out);
}

static bool add_lower(struct str s, struct buf *out)
{
	bool ok = !str_eat_word(&s, STR("[IPv6:")) || buf_add(out, STR("[IPv6:"));

	ok = ok && buf_reserve(out, s.n);
	for (size_t i = 0; ok && i < s.n; i++)
		out->p[out->n++] = ascii_lower(s.p[i]);
	return ok;
}

bool path_canonical(const struct path *path, struct buf *out)
{
	size_t before = out->n;
	bool ok;

	if (path->domain.n == 0)
		ok = add_lower(path->local, out);
	else
		ok = add_local(path->local, out) && buf_addc(out, '@') && add_lower(path->domain, out);
	if (!ok)
		out->n = before;
	return ok;
}
