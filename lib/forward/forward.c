#include "forward/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "io/fd.h"
#include "mail/addr.h"
#include "mail/alias_list.h"

enum { FILES_MOST = 16, ITEMS_MOST = 2000, BYTES_MOST = 64 << 10, EXTENSION_MOST = 64, TOLD_MOST = 400 };

/* One reading: the first file, and those that it includes, in the order in which they are named. */
struct reading {
	const struct forward_who *who; /* NULL: a list of an alias */
	struct forward *out;
	struct arena arena;
	struct str paths[FILES_MOST];
	size_t n, at, bytes;
};

static void free_reading(struct reading *r)
{
	arena_free(&r->arena);
}
#define scoped_reading __attribute__((cleanup(free_reading)))

__attribute__((format(printf, 2, 3))) static void tell(struct forward *f, const char *format, ...)
{
	va_list ap;

	if (f->told.n > TOLD_MOST)
		return;
	if (f->told.n > 0)
		buf_add(&f->told, STR("; "));
	va_start(ap, format);
	buf_vaddf(&f->told, format, ap);
	va_end(ap);
}

/* ---- files ---- */

static const char *distrust_file(const struct stat *st, const struct forward_who *owner)
{
	if (!S_ISREG(st->st_mode))
		return "is no regular file";
	if (st->st_mode & S_IWOTH || (owner && st->st_mode & S_IWGRP))
		return "may be written by others";
	if (owner && st->st_uid != owner->uid && st->st_uid != 0)
		return "belongs to another user";
	if (st->st_size > BYTES_MOST)
		return "is larger than 64 KiB";
	return NULL;
}

/* `owner`: it must be that user's. FOUND: its text is in `text`. NONE: not there, or not to be trusted, which is told. */
static enum forward_result read_file(struct str path, const struct forward_who *owner, struct buf *text,
				     struct forward *out)
{
	scoped_arena struct arena tmp = { 0 };
	const char *name = arena_str(&tmp, path).p;
	scoped_fd int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return FORWARD_NONE;
	if (fd < 0 && (errno == ELOOP || errno == EACCES || errno == ENXIO || errno == ENAMETOOLONG)) {
		tell(out, "%s is not used: %s", name, strerror(errno));
		return FORWARD_NONE;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		tell(out, "%s: %s", name, strerror(errno));
		return FORWARD_LATER;
	}
	const char *why = distrust_file(&st, owner);
	if (why) {
		tell(out, "%s is not used: it %s", name, why);
		return FORWARD_NONE;
	}
	text->limit = BYTES_MOST + 1;
	if (fd_read_rest(fd, text) == 0)
		return FORWARD_FOUND;
	tell(out, "%s: %s", name, strerror(errno));
	return FORWARD_LATER;
}

static bool home_is_safe(const struct forward_who *who, struct forward *out)
{
	scoped_arena struct arena tmp = { 0 };
	const char *home = arena_str(&tmp, who->home).p;
	struct stat st;

	if (stat(home, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode) && (st.st_uid == who->uid || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	tell(out, "%s may be written by others: no .forward in it is used", home);
	return false;
}

/* ---- items ---- */

static bool is_address(struct str text)
{
	char plain[ADDR_OCTETS_MAX + 3];
	struct str local, domain;

	if (text.n == 0 || text.n > ADDR_OCTETS_MAX || !utf8_valid(text))
		return false;
	if (str_find(STR("|/:\\"), text.p[0]) >= 0) /* behind a backslash: it would be read as a command or a file later */
		return false;
	for (size_t i = 0; i < text.n; i++)
		plain[i] = (unsigned char)text.p[i] < 0x80 ? text.p[i] : 'x';
	bool whole = addr_split(text, &local, &domain);
	memcpy(plain + text.n, "@x", 2);
	return addr_valid(str_of(plain, text.n + (whole ? 0 : 2)));
}

static bool add(struct reading *r, struct str target)
{
	struct forward *f = r->out;

	if (f->targets.n < ITEMS_MOST && strs_add(&f->raw, &f->targets, target))
		return true;
	tell(f, "more than %d recipients, or 64 KiB of them", ITEMS_MOST);
	return false;
}

static bool add_path(struct reading *r, struct str path)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->paths[i], path))
			return true;
	if (r->n == FILES_MOST) {
		tell(r->out, "more than %d lists", FILES_MOST);
		return false;
	}
	r->paths[r->n++] = arena_str(&r->arena, path);
	return true;
}

/* Commands and files stand in a .forward itself, never in what it includes. */
static bool may_have(const struct reading *r, enum alias_kind kind)
{
	return r->who && r->at == 1 && (kind == ALIAS_COMMAND ? r->who->commands : r->who->files);
}

static void pass_over(struct reading *r, struct str item, const char *why)
{
	tell(r->out, "%.*s: '%.*s' %s, and is passed over", STR_ARG(r->paths[r->at - 1]), STR_ARG(str_head(item, 60)),
	     why);
}

static bool add_address(struct reading *r, struct str address)
{
	if (r->who && str_ieq(address, r->who->user))
		return add(r, STR("\\"));
	if (is_address(address))
		return add(r, address);
	pass_over(r, address, "is no address");
	return true;
}

/* False: there is no answer. */
static bool take_item(struct reading *r, const struct alias_item *item)
{
	if (item->kind == ALIAS_ADDRESS || item->kind == ALIAS_MAILBOX)
		return add_address(r, item->text);
	if (item->kind == ALIAS_INCLUDE)
		return add_path(r, str_skip(item->text, strlen(":include:")));
	if (item->kind != ALIAS_BAD && may_have(r, item->kind))
		return add(r, item->text);
	pass_over(r, item->text, item->kind == ALIAS_BAD ? "is no item" : "is not allowed here");
	return true;
}

static bool take_text(struct reading *r, struct str text)
{
	scoped_alias_list struct alias_list list = { .rest = text, .file = true };
	struct alias_item item;

	r->bytes += text.n;
	if (r->bytes > BYTES_MOST) {
		tell(r->out, "more than 64 KiB of lists");
		return false;
	}
	while (alias_list_next(&list, &item))
		if (!take_item(r, &item))
			return false;
	return true;
}

/* The first one decides when it cannot be read; a list in it that cannot be had must not make recipients vanish. */
static enum forward_result read_all(struct reading *r)
{
	r->out->raw.limit = BYTES_MOST;
	while (r->at < r->n) {
		scoped_buf struct buf text = { 0 };
		struct str path = r->paths[r->at++];
		enum forward_result got = read_file(path, r->at == 1 ? r->who : NULL, &text, r->out);
		if (got == FORWARD_NONE && r->at == 1)
			return FORWARD_NONE;
		if (got == FORWARD_NONE && r->out->told.n == 0)
			tell(r->out, "%.*s: %s", STR_ARG(path), strerror(ENOENT));
		if (got != FORWARD_FOUND || !take_text(r, buf_str(&text)))
			return FORWARD_LATER;
	}
	return r->out->targets.n > 0 ? FORWARD_FOUND : FORWARD_NONE;
}

static enum forward_result read_one(const struct forward_who *who, struct str path, struct forward *out)
{
	scoped_reading struct reading r = { .who = who, .out = out };

	add_path(&r, path);
	return read_all(&r);
}

/* ---- whose ---- */

static bool is_plain(struct str extension)
{
	for (size_t i = 0; i < extension.n; i++)
		if (!ascii_alnum(extension.p[i]) && str_find(STR("-_.+=@%"), extension.p[i]) < 0)
			return false;
	return extension.n > 0 && extension.n <= EXTENSION_MOST;
}

/* With its delimiter: "+list" of anna+list@example.org; empty: none that may stand in the name of a file. */
static struct str extension_of(const struct forward_who *who, struct str recipient)
{
	struct str local, domain;

	addr_split(recipient, &local, &domain);
	if (!str_istarts(local, who->user) || local.n == who->user.n)
		return (struct str){ 0 };
	struct str rest = str_skip(local, who->user.n);
	bool fine = str_find(who->delimiter, rest.p[0]) >= 0 && rest.p[0] != '/' && is_plain(str_skip(rest, 1));
	return fine ? rest : (struct str){ 0 };
}

enum forward_result forward_user(const struct forward_who *who, struct str recipient, struct forward *out)
{
	scoped_buf struct buf path = { 0 };
	struct str extension = extension_of(who, recipient);
	enum forward_result r = FORWARD_NONE;

	if (who->home.n == 0 || who->home.p[0] != '/' || !home_is_safe(who, out))
		return FORWARD_NONE;
	buf_addf(&path, "%.*s/.forward%.*s", STR_ARG(who->home), STR_ARG(extension));
	r = read_one(who, buf_str(&path), out);
	path.n -= extension.n;
	if (r == FORWARD_NONE && extension.n > 0)
		r = read_one(who, buf_str(&path), out);
	return r;
}

enum forward_result forward_list(struct str target, struct forward *out)
{
	struct str path = str_skip(target, strlen(":include:"));

	if (read_one(NULL, path, out) == FORWARD_FOUND)
		return FORWARD_FOUND;
	if (out->told.n == 0)
		tell(out, "%.*s: there is no such list, or it is empty", STR_ARG(path));
	return FORWARD_LATER;
}

bool forward_has(const struct forward *f, struct str target)
{
	struct str s;
	size_t at = 0;

	while (strs_next(&f->targets, &at, &s))
		if (str_eq(s, target))
			return true;
	return false;
}
