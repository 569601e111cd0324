#include "dict/dict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "dict/inner.h"
#include "dict/rules.h"
#include "io/fd.h"

static const struct dict_type types[] = {
	{ .name = "cidr", .suffix = "", .pattern = true, .load = cidr_load, .get = cidr_get, .each = rules_each },
	{ .name = "fail", .load = fail_load, .get = fail_get, .each = no_rows },
	{ .name = "inline", .load = inline_load },
	{ .name = "lmdb",
	  .suffix = ".lmdb",
	  .renamed_whole = true,
	  .load = lmdb_load,
	  .get = lmdb_get,
	  .each = lmdb_each },
	{ .name = "passwd-file", .suffix = "", .load = passwd_file_load },
	{ .name = "pcre", .suffix = "", .pattern = true, .load = pcre_load, .get = pattern_get, .each = rules_each },
	{ .name = "randmap", .load = randmap_load, .get = randmap_get, .each = no_rows },
	{ .name = "regexp",
	  .suffix = "",
	  .pattern = true,
	  .load = regexp_load,
	  .get = pattern_get,
	  .each = rules_each },
	{ .name = "static", .load = static_load, .get = static_get, .each = no_rows },
	{ .name = "texthash", .suffix = "", .load = texthash_load },
	{ .name = "unix", .load = unix_load },
};

void content_free(struct content *c)
{
	table_free(&c->rows);
	rules_free(c->rules);
	arena_free(&c->arena);
	if (c->env)
		mdb_env_close(c->env);
	*c = (struct content){ 0 };
}

void content_warn(struct content *c, size_t line, const char *text)
{
	if (c->warnings++ == 0)
		snprintf(c->warning, sizeof(c->warning), "line %zu: %s", line, text);
}

void stamp_take(const struct stat *st, struct stamp *out)
{
	*out = (struct stamp){ .dev = st->st_dev,
			       .ino = st->st_ino,
			       .size = st->st_size,
			       .mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec };
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->error == b->error;
}

static const struct dict_type *find_type(struct str name, struct err *err)
{
	char known[200] = "";
	size_t n = 0;

	for (size_t i = 0; i < COUNT(types); i++) {
		if (str_eq(name, str_from(types[i].name)))
			return &types[i];
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", types[i].name);
	}
	err_set(err, "'%.*s' is no type of table: known are %s", STR_ARG(str_head(name, 40)), known);
	return NULL;
}

/* The last look at warnings, when all lines are counted. */
static void end_warning(struct content *c)
{
	size_t n = strlen(c->warning);

	if (c->warnings > 1)
		snprintf(c->warning + n, sizeof(c->warning) - n, " (and %zu more)", c->warnings - 1);
}

static bool load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	struct err why = { 0 };

	if (d->type->load(d, c, stamp, &why)) {
		end_warning(c);
		return true;
	}
	content_free(c);
	return err_set(err, "%s:%.*s: %s", d->type->name, STR_ARG(str_head(d->name, 100)), why.text);
}

static bool take_folder(struct dict *d, int folder, const char *file, struct err *err)
{
	if (folder < 0 || !file || !*file)
		return err_set(err, "%s:%.*s: write the absolute path of a file; its folder must exist at start",
			       d->type->name, STR_ARG(str_head(d->name, 100)));
	bool whole = str_ends(str_from(file), str_from(d->type->suffix));
	d->file = arena_printf(&d->arena, "%s%s", file, whole ? "" : d->type->suffix);
	d->folder = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	return d->folder >= 0 || err_errno(err, "dup");
}

struct dict *dict_open(struct str spec, int folder, const char *file, struct str domain, struct err *err)
{
	struct str name = spec;
	const struct dict_type *type = find_type(str_cut(&name, ':'), err);

	if (!type)
		return NULL;
	struct dict *d = calloc(1, sizeof(*d));
	ASSERT(d);
	d->type = type;
	d->folder = -1;
	d->name = arena_str(&d->arena, str_trim(name));
	d->domain = arena_str(&d->arena, domain);
	if ((type->suffix && !take_folder(d, folder, file, err)) || !load(d, &d->content, &d->seen, err)) {
		dict_close(d);
		return NULL;
	}
	return d;
}

void dict_close(struct dict *d)
{
	if (!d)
		return;
	content_free(&d->content);
	buf_free(&d->key);
	fd_close(&d->folder);
	arena_free(&d->arena);
	free(d);
}

bool dict_is_pattern(const struct dict *d)
{
	return d->type->pattern;
}

bool dict_has_file(struct str spec)
{
	const struct dict_type *type = find_type(str_cut(&spec, ':'), NULL);

	return type && type->suffix;
}

static enum dict_result rows_get(struct dict *d, struct str key, struct buf *value, struct err *err)
{
	const struct str *row = table_get(&d->content.rows, key);

	if (!row)
		return DICT_MISSING;
	if (buf_add(value, *row))
		return DICT_FOUND;
	err_set(err, "the value is too long");
	return DICT_ERROR;
}

enum dict_result dict_get(struct dict *d, struct str key, struct buf *value, struct err *err)
{
	buf_reset(value);
	buf_reset(&d->key);
	if (d->type->pattern)
		return d->type->get(&d->content, key, value, err);
	for (size_t i = 0; i < key.n; i++)
		buf_addc(&d->key, ascii_lower(key.p[i]));
	if (d->type->get)
		return d->type->get(&d->content, buf_str(&d->key), value, err);
	return rows_get(d, buf_str(&d->key), value, err);
}

static void look(const struct dict *d, struct stamp *out)
{
	struct stat st;

	*out = (struct stamp){ 0 };
	if (fstatat(d->folder, d->file, &st, 0) < 0)
		out->error = errno;
	else
		stamp_take(&st, out);
}

/* Written in this second: perhaps not for the last time. A date in the future says nothing. */
static bool is_fresh(const struct stamp *s)
{
	int64_t age_ms = clock_wall_us() / 1000 - s->mtime_ns / 1000000;

	return s->error == 0 && age_ms >= 0 && age_ms < DICT_CHECK_MS;
}

enum dict_change dict_changed(struct dict *d, int64_t now_ms, struct err *err)
{
	struct content fresh = { 0 };
	struct stamp now;
	struct err why = { 0 };

	if (!d->file || now_ms < d->next_check_ms)
		return DICT_SAME;
	d->next_check_ms = now_ms + DICT_CHECK_MS;
	look(d, &now);
	if (stamp_same(&now, &d->seen) || (!d->type->renamed_whole && is_fresh(&now)))
		return DICT_SAME;
	if (!load(d, &fresh, &d->seen, &why)) {
		d->seen = now;
		err_set(err, "%s; the version of before stays in use", why.text);
		return DICT_STALE;
	}
	content_free(&d->content);
	d->content = fresh;
	return DICT_NEW;
}

const char *dict_warning(const struct dict *d)
{
	return d->content.warning;
}

bool dict_each(struct dict *d, bool (*row)(void *arg, struct str key, struct str value), void *arg, struct err *err)
{
	const struct content *c = &d->content;
	struct str key;
	void *value;
	size_t at = 0;

	if (d->type->each)
		return d->type->each(c, row, arg, err);
	while (table_next(&c->rows, &at, &key, &value))
		if (!row(arg, key, *(const struct str *)value))
			return false;
	return true;
}
