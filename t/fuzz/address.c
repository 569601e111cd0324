/* Address helpers, and the two grammars against each other: <text> is a path without a route when text is an address. */
#include "base/err.h"
#include "mail/addr.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool path_accepts(struct str text)
{
	scoped_buf struct buf bracketed = { 0 };
	struct path path;

	buf_addc(&bracketed, '<');
	buf_add(&bracketed, text);
	buf_addc(&bracketed, '>');
	struct str in = buf_str(&bracketed);
	return path_parse(&in, 0, &path, NULL) && in.n == 0 && text.p[0] != '@';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buf struct buf key = { 0 };
	struct str text = str_of(data, size), local, domain, user, extension;

	ASSERT(addr_valid(text) == path_accepts(text));
	bool split = addr_split(text, &local, &domain);
	ASSERT(local.n + domain.n + split == size);
	bool extended = addr_extension(local, STR("+-"), &user, &extension);
	ASSERT(user.n + extension.n + extended == local.n && (!extended || user.n > 0));
	ASSERT(addr_key(text, &key) && str_ieq(buf_str(&key), text));
	return 0;
}
