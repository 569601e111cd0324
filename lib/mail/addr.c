#include "mail/addr.h"

#include <arpa/inet.h>

bool addr_split(struct str text, struct str *local, struct str *domain)
{
	bool quoted = false;
	size_t at = text.n;

	for (size_t i = 0; i < text.n; i++) {
		if (quoted && text.p[i] == '\\')
			i++;
		else if (text.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && text.p[i] == '@')
			at = i;
	}
	*local = str_head(text, at);
	*domain = at < text.n ? str_skip(text, at + 1) : (struct str){ 0 };
	return at < text.n;
}

bool addr_key(struct str text, struct buf *out)
{
	if (!buf_reserve(out, text.n))
		return false;
	for (size_t i = 0; i < text.n; i++)
		out->p[out->n++] = ascii_lower(text.p[i]);
	return true;
}

/* Names with a '-' or another delimiter of their own. */
static bool is_special(struct str local, struct str delimiters)
{
	static const struct str names[] = { { "postmaster", 10 }, { "mailer-daemon", 13 }, { "double-bounce", 13 } };
	const struct str request = STR("-request");

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_ieq(local, names[i]))
			return true;
	if (str_find(delimiters, '-') < 0)
		return false;
	if (local.n > 6 && str_istarts(local, STR("owner-")))
		return true;
	return local.n > request.n && str_ieq(str_skip(local, local.n - request.n), request);
}

bool addr_extension(struct str local, struct str delimiters, struct str *user, struct str *extension)
{
	size_t n = 0;

	*user = local;
	*extension = (struct str){ 0 };
	if (is_special(local, delimiters))
		return false;
	while (n < local.n && str_find(delimiters, local.p[n]) < 0)
		n++;
	if (n == 0 || n == local.n)
		return false;
	*user = str_head(local, n);
	*extension = str_skip(local, n + 1);
	return true;
}

static bool quoted_valid(struct str s)
{
	size_t end = s.n - 1;

	if (s.n < 2)
		return false;
	for (size_t i = 1; i < end; i++) {
		if (s.p[i] == '"' || (s.p[i] == '\\' && ++i == end))
			return false;
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	}
	return s.p[end] == '"';
}

static bool local_valid(struct str s)
{
	if (s.n == 0 || s.n > ADDR_LOCAL_MAX)
		return false;
	if (s.p[0] == '"')
		return quoted_valid(s);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && (i == 0 || i + 1 == s.n || s.p[i + 1] == '.'))
			return false;
		if (s.p[i] == '\0' || (!ascii_alnum(s.p[i]) && !strchr(".!#$%&'*+-/=?^_`{|}~", s.p[i])))
			return false;
	}
	return true;
}

static bool label_valid(struct str s)
{
	if (s.n == 0 || s.n > ADDR_LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

/* `s` is what stands between the brackets. */
static bool literal_valid(struct str s)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char address[16];
	bool six = str_eat_word(&s, STR("IPv6:"));

	if (s.n >= sizeof(text) || str_find(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.n);
	return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool domain_valid(struct str s)
{
	if (s.n == 0 || s.n > ADDR_DOMAIN_MAX)
		return false;
	if (s.p[0] == '[')
		return s.n > 2 && s.p[s.n - 1] == ']' && literal_valid(str_of(s.p + 1, s.n - 2));
	bool last;
	do {
		last = str_find(s, '.') < 0;
		if (!label_valid(str_cut(&s, '.')))
			return false;
	} while (!last);
	return true;
}

bool addr_valid(struct str text)
{
	struct str local, domain;

	return text.n <= ADDR_OCTETS_MAX && addr_split(text, &local, &domain) && local_valid(local) &&
	       domain_valid(domain);
}
