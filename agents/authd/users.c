#include "users.h"

#include "base/utf8.h"

static bool part_ok(struct str part)
{
	return part.n > 0 && part.p[0] != '.';
}

bool users_canonical(struct str name, struct str default_domain, struct buf *out)
{
	ptrdiff_t at = str_rfind(name, '@');
	struct str local = at < 0 ? name : str_head(name, (size_t)at);
	struct str domain = at < 0 ? default_domain : str_skip(name, (size_t)at + 1);

	buf_reset(out);
	if (!part_ok(local) || (at >= 0 && !part_ok(domain)) || name.n + domain.n > USERS_NAME_MAX || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((uint8_t)name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == '/' || name.p[i] == ':')
			return false;
	for (size_t i = 0; i < local.n; i++)
		buf_addc(out, ascii_lower(local.p[i]));
	if (domain.n > 0)
		buf_addc(out, '@');
	for (size_t i = 0; i < domain.n; i++)
		buf_addc(out, ascii_lower(domain.p[i]));
	return true;
}

/* "{SHA512-CRYPT}$6$..." and the like: crypt(3) knows the hash by its own prefix. */
static struct str bare_hash(struct str hash)
{
	static const struct str schemes[] = { STR("{CRYPT}"),	    STR("{BLF-CRYPT}"), STR("{SHA512-CRYPT}"),
					      STR("{SHA256-CRYPT}"), STR("{MD5-CRYPT}"), STR("{DES-CRYPT}") };

	for (size_t i = 0; i < COUNT(schemes); i++)
		if (str_eat_word(&hash, schemes[i]))
			return hash;
	return hash.n > 0 && hash.p[0] == '{' ? STR("") : hash;
}

static bool read_line(struct users *u, struct str line, struct str default_domain)
{
	scoped_buf struct buf name = { 0 };
	struct str fields[6] = { 0 };

	if (line.n > USERS_LINE_MAX || str_find(line, ':') < 0)
		return false;
	for (size_t i = 0; i < COUNT(fields); i++)
		fields[i] = str_cut(&line, ':');
	if (!users_canonical(fields[0], default_domain, &name))
		return false;
	struct user *user = arena_alloc(&u->arena, sizeof(*user));
	*user = (struct user){ .name = arena_str(&u->arena, buf_str(&name)),
			       .hash = arena_str(&u->arena, bare_hash(fields[1])),
			       .home = arena_str(&u->arena, fields[5]) };
	table_set(&u->by_name, user->name, user);
	if (!u->first && user->hash.n > 0)
		u->first = user;
	return true;
}

void users_read(struct users *u, struct str text, struct str default_domain)
{
	users_free(u);
	for (size_t n = 1; text.n > 0; n++) {
		struct str line = str_trim(str_cut(&text, '\n'));
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!read_line(u, line, default_domain) && u->bad_lines++ == 0)
			u->first_bad = n;
	}
}

void users_free(struct users *u)
{
	arena_free(&u->arena);
	table_free(&u->by_name);
	*u = (struct users){ 0 };
}

const struct user *users_find(const struct users *u, struct str canonical)
{
	return table_get(&u->by_name, canonical);
}
