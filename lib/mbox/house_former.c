#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "io/fd.h"
#include "mbox/house.h"

struct reading {
	struct mbox_house *h;
	const struct mbox_folder *f;
	struct mbox_former_texts *texts;
	struct arena *arena;
	struct mbox_former *out;
	struct mbox_former_index ix;
};

static enum mbox_result damaged(const char *name, const struct err *why, struct err *err)
{
	err_set(err, "%s is damaged at octet %td (%s)", name, why->at, why->text);
	return MBOX_REFUSED;
}

void mbox_former_texts_free(struct mbox_former_texts *t)
{
	buf_free(&t->list);
	buf_free(&t->pop3);
	buf_free(&t->keywords);
}

enum mbox_result mbox_house_names(int imported, struct buf *text, struct arena *arena, struct mbox_former *out,
				  bool *there, struct err *err)
{
	struct err why = { .at = -1 };
	enum mbox_result r = mbox_house_read(imported, MBOX_NAMES, text, there, err);

	if (r || !*there)
		return r;
	why.start = text->p;
	return mbox_former_parse(buf_str(text), arena, out, &why) ? MBOX_OK
								  : damaged(MBOX_IMPORTED "/" MBOX_NAMES, &why, err);
}

typedef bool parse_list(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err);

static enum mbox_result read_list(struct reading *in, const char *name, parse_list *parse, struct buf *text,
				  bool *there, struct err *err)
{
	struct err why = { .at = -1 };
	enum mbox_result r = mbox_house_read(in->f->dir, name, text, there, err);

	if (r || !*there)
		return r;
	why.start = text->p;
	return parse(buf_str(text), in->arena, in->out, &why) ? MBOX_OK : damaged(name, &why, err);
}

static enum mbox_result read_dovecot(struct reading *in, struct err *err)
{
	bool there;
	enum mbox_result r = read_list(in, "dovecot-uidlist", mbox_dovecot_uidlist, &in->texts->list, &there, err);

	if (r || (r = mbox_house_read(in->f->dir, "dovecot-keywords", &in->texts->keywords, &there, err)))
		return r;
	mbox_dovecot_keywords(buf_str(&in->texts->keywords), in->out);
	return MBOX_OK;
}

/* The file that counts for each message: the one without a number, else that with the highest. */
struct keyword_files {
	struct reading *in;
	struct table newest; /* base -> struct keyword_file */
	enum mbox_result failed;
};

struct keyword_file {
	uint64_t n;
	struct str file;
};

static bool see_keyword_file(void *ctx, struct str file, unsigned char type)
{
	struct keyword_files *k = ctx;
	uint64_t n;
	struct str base = mbox_courier_keyword_name(file, &n);
	struct keyword_file *seen = base.n ? table_get(&k->newest, base) : NULL;

	(void)type;
	if (base.n == 0 || (seen && seen->n >= n) || !mbox_former_find(&k->in->ix, base))
		return true;
	if (!seen) {
		seen = arena_alloc(k->in->arena, sizeof(*seen));
		table_set(&k->newest, base, seen);
	}
	*seen = (struct keyword_file){ n, arena_str(k->in->arena, file) };
	return true;
}

static enum mbox_result read_keyword_file(struct reading *in, int dir, struct str base, const char *file,
					  struct err *err)
{
	scoped_buf struct buf text = { 0 };
	int got = mbox_house_file(dir, file, FORMER_KEYWORD_BYTES_MAX, &text);

	if (got < 0)
		return mbox_failed(err, "cannot read courierimapkeywords/%s", file);
	/* keywords point into the text */
	mbox_courier_keyword_file(arena_str(in->arena, buf_str(&text)), mbox_former_find(&in->ix, base), in->out);
	return MBOX_OK;
}

static enum mbox_result read_courier_keywords(struct reading *in, struct err *err)
{
	scoped_fd int dir = mbox_directory_open(in->f->dir, "courierimapkeywords");
	struct keyword_files k = { .in = in };
	struct err why = { .at = -1 };
	struct keyword_file *file;
	struct str base;
	size_t at = 0;
	bool there;

	if (dir < 0)
		return errno == ENOENT ? MBOX_OK : mbox_failed(err, "cannot open courierimapkeywords/");
	enum mbox_result r = mbox_house_read(dir, ":list", &in->texts->keywords, &there, err);
	why.start = in->texts->keywords.p;
	if (!r && !mbox_courier_keywords(buf_str(&in->texts->keywords), &in->ix, in->out, &why))
		r = damaged("courierimapkeywords/:list", &why, err);
	if (!r && mbox_walk_all(dir, see_keyword_file, &k) < 0)
		r = mbox_failed(err, "cannot read courierimapkeywords/");
	while (!r && table_next(&k.newest, &at, &base, (void **)&file))
		r = read_keyword_file(in, dir, base, file->file.p, err);
	table_free(&k.newest);
	return r;
}

static enum mbox_result read_courier(struct reading *in, struct err *err)
{
	bool there;
	enum mbox_result r = read_list(in, "courierimapuiddb", mbox_courier_uiddb, &in->texts->list, &there, err);

	if (!r && in->out->uidnext == 0)
		in->out->uidnext = 1;
	if (!r)
		r = read_list(in, "courierpop3dsizelist", mbox_courier_pop3, &in->texts->pop3, &there, err);
	if (!r && !mbox_former_index(in->out, in->arena, &in->ix))
		panic("out of memory: index of names");
	return r ? r : read_courier_keywords(in, err);
}

/* Both may be there: Dovecot can follow Courier. The list that was written last counts. */
static enum mbox_origin newest(int dir)
{
	struct stat d, c, p;
	bool dovecot = fstatat(dir, "dovecot-uidlist", &d, AT_SYMLINK_NOFOLLOW) == 0;
	bool courier = fstatat(dir, "courierimapuiddb", &c, AT_SYMLINK_NOFOLLOW) == 0;
	bool pop3 = fstatat(dir, "courierpop3dsizelist", &p, AT_SYMLINK_NOFOLLOW) == 0;

	if (dovecot && (!courier || d.st_mtime >= c.st_mtime) && (!pop3 || d.st_mtime >= p.st_mtime))
		return ORIGIN_DOVECOT;
	return courier || pop3 ? ORIGIN_COURIER : ORIGIN_NONE;
}

enum mbox_result mbox_house_former(struct mbox_house *h, const struct mbox_folder *f, struct str dir,
				   struct mbox_former_texts *texts, struct arena *arena, struct mbox_former *out,
				   struct err *err)
{
	struct reading in = { .h = h, .f = f, .texts = texts, .arena = arena, .out = out };
	enum mbox_origin origin = newest(f->dir);
	enum mbox_result r = MBOX_OK;

	*out = (struct mbox_former){ 0 };
	if (origin == ORIGIN_DOVECOT)
		r = read_dovecot(&in, err);
	else if (origin == ORIGIN_COURIER)
		r = read_courier(&in, err);
	if (!r && out->uidvalidity == 0) { /* it has never been opened by IMAP */
		out->uidnext += out->uidnext == 0;
		r = mbox_draw_uidvalidity(h->home, &out->uidvalidity, err);
	}
	out->origin = origin ? origin : h->origin;
	out->utf7 = h->utf7;
	out->folder = dir;
	return r;
}
