#include "base/net.h"
#include "smtp/check_steps.h"

static bool label_ok(struct str label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

static bool has_letter(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_alpha(s.p[i]))
			return true;
	return false;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static bool literal_ok(struct str name)
{
	struct net ignored;

	if (name.n < 3 || name.p[0] != '[' || name.p[name.n - 1] != ']')
		return false;
	name = str_of(name.p + 1, name.n - 2);
	bool six = str_eat_word(&name, STR("IPv6:"));
	return name.p[0] != '[' && net_address(name, &ignored) && (ignored.size == 16) == six;
}

bool name_valid(struct str name)
{
	struct str label = STR("");

	if (name.n > 0 && name.p[0] == '[')
		return literal_ok(name);
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > 253 || name.p[name.n - 1] == '.')
		return false;
	while (name.n > 0) {
		label = str_cut(&name, '.');
		if (!label_ok(label))
			return false;
	}
	return has_letter(label);
}

bool name_full(struct str name)
{
	return name_valid(name) && (name.p[0] == '[' || str_find(str_head(name, name.n - 1), '.') > 0);
}

struct str domain_of(struct str address)
{
	ptrdiff_t at = str_rfind(address, '@');

	return at < 0 ? STR("") : str_skip(address, (size_t)at + 1);
}

bool name_reverse(struct str address, struct buf *out)
{
	struct net a;

	if (!net_address(address, &a))
		return false;
	for (size_t i = a.size; i-- > 0;)
		if (a.size == 4)
			buf_addf(out, "%s%u", i < 3u ? "." : "", a.octets[i]);
		else
			buf_addf(out, "%s%x.%x", i < 15u ? "." : "", a.octets[i] & 15, a.octets[i] >> 4);
	return true;
}
