#include "dict/user.h"

#include "base/utf8.h"

static bool octets_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/' || s.p[i] == ':')
			return false;
	return utf8_valid(s);
}

static bool part_ok(struct str part)
{
	return part.n > 0 && part.p[0] != '.' && octets_ok(part);
}

static void add_lower(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, ascii_lower(s.p[i]));
}

bool user_canonical(struct str name, struct str domain, struct buf *out)
{
	ptrdiff_t at = str_rfind(name, '@');
	struct str local = at < 0 ? name : str_head(name, (size_t)at);

	if (at >= 0)
		domain = str_skip(name, (size_t)at + 1);
	buf_reset(out);
	if (!part_ok(local) || ((at >= 0 || domain.n > 0) && !part_ok(domain)) ||
	    local.n + 1 + domain.n > USER_NAME_MAX)
		return false;
	add_lower(out, local);
	if (domain.n > 0)
		buf_addc(out, '@');
	add_lower(out, domain);
	return true;
}
