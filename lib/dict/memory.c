/* memory - the types whose rows are kept in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/random.h"
#include "conf/conf.h"
#include "dict/inner.h"
#include "dict/text.h"
#include "dict/user.h"
#include "io/fd.h"

bool content_read(const struct dict *d, struct buf *text, struct stamp *stamp, struct err *err)
{
	scoped_fd int fd = openat(d->folder, d->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat before, after;
	struct stamp end;

	if (fd < 0 || fstat(fd, &before) < 0)
		return err_errno(err, "cannot be opened");
	if (!S_ISREG(before.st_mode))
		return err_set(err, "is no regular file");
	text->limit = DICT_TEXT_MAX + 1;
	if ((fd_read_rest(fd, text) < 0 && errno != EFBIG) || fstat(fd, &after) < 0)
		return err_errno(err, "cannot be read");
	stamp_take(&before, stamp);
	stamp_take(&after, &end);
	if (!stamp_same(stamp, &end) || (off_t)text->n > before.st_size)
		return err_set(err, "is being written");
	const char *why = before.st_size > DICT_TEXT_MAX ? "larger than 64 MiB" : text_refused(buf_str(text));
	return why ? err_set(err, "%s", why) : true;
}

bool content_add(struct content *c, struct str key, struct str value)
{
	if (table_get(&c->rows, key))
		return false;
	struct str *copy = arena_alloc(&c->arena, sizeof(*copy));
	*copy = arena_str(&c->arena, value);
	table_set(&c->rows, key, copy);
	return true;
}

bool texthash_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	scoped_buf struct buf text = { 0 };
	struct text_row row;

	if (!content_read(d, &text, stamp, err))
		return false;
	scoped_text struct text t = { .rest = buf_str(&text) };
	while (text_next(&t, &row))
		if (row.bad)
			content_warn(c, row.line, row.bad);
		else if (!content_add(c, row.key, row.value))
			content_warn(c, row.line, "duplicate key");
	return true;
}

bool passwd_file_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	scoped_buf struct buf text = { 0 }, name = { 0 };

	if (!content_read(d, &text, stamp, err))
		return false;
	struct str rest = buf_str(&text);
	for (size_t n = 1; rest.n > 0; n++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		if (line.n == 0 || line.p[0] == '#')
			continue;
		bool divided = str_find(line, ':') >= 0;
		if (!divided || !user_canonical(str_cut(&line, ':'), d->domain, &name))
			content_warn(c, n, "is no user");
		else
			content_add(c, buf_str(&name), buf_str(&name));
	}
	return true;
}

/* "{ text }" without its braces, other text as it is. */
static struct str unbrace(struct str s)
{
	s = str_trim(s);
	if (s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}')
		s = str_trim(str_of(s.p + 1, s.n - 2));
	return s;
}

static void lower(struct str s, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, ascii_lower(s.p[i]));
}

bool inline_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	scoped_buf struct buf key = { 0 };
	struct str rest = unbrace(d->name), item;

	(void)stamp;
	if (d->name.n < 2 || d->name.p[0] != '{' || d->name.p[d->name.n - 1] != '}')
		return err_set(err, "write inline:{ {key=value}, ... }");
	while (conf_list_next(&rest, &item)) {
		struct str value = unbrace(item);
		bool assigns = str_find(value, '=') >= 0;
		lower(str_trim(str_cut(&value, '=')), &key);
		if (!assigns || key.n == 0)
			return err_set(err, "'%.*s' is not key=value", STR_ARG(item));
		if (!content_add(c, buf_str(&key), str_trim(value)))
			return err_set(err, "key '%.*s' stands there twice", STR_ARG(buf_str(&key)));
	}
	return true;
}

bool static_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	(void)stamp;
	c->fixed = arena_str(&c->arena, unbrace(d->name));
	return c->fixed.n > 0 || err_set(err, "write static:value");
}

enum dict_result static_get(const struct content *c, struct str key, struct buf *value, struct err *err)
{
	(void)key;
	if (buf_add(value, c->fixed))
		return DICT_FOUND;
	err_set(err, "the value is too long");
	return DICT_ERROR;
}

bool randmap_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	struct str inner = unbrace(d->name), rest = inner, item;
	size_t n = 0;

	(void)stamp;
	while (conf_list_next(&rest, &item))
		n++;
	if (n == 0 || d->name.p[0] != '{')
		return err_set(err, "write randmap:{ value, ... }");
	c->picks = arena_alloc(&c->arena, n * sizeof(*c->picks));
	while (conf_list_next(&inner, &item))
		c->picks[c->n_picks++] = arena_str(&c->arena, unbrace(item));
	return true;
}

enum dict_result randmap_get(const struct content *c, struct str key, struct buf *value, struct err *err)
{
	(void)key;
	if (buf_add(value, c->picks[random_u64() % c->n_picks]))
		return DICT_FOUND;
	err_set(err, "the value is too long");
	return DICT_ERROR;
}

bool fail_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	(void)stamp;
	c->fixed = arena_str(&c->arena, d->name);
	return c->fixed.n > 0 || err_set(err, "write fail:name");
}

enum dict_result fail_get(const struct content *c, struct str key, struct buf *value, struct err *err)
{
	(void)key;
	(void)value;
	err_set(err, "fail:%.*s: it fails for every key", STR_ARG(str_head(c->fixed, 100)));
	return DICT_ERROR;
}

bool no_rows(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
	     struct err *err)
{
	(void)c;
	(void)row;
	(void)arg;
	return err_set(err, "a table of this type has no rows to list");
}
