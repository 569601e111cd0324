#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "queue/place.h"

/*
 * Content is compared with its checksum here only where a crash may have spoiled it: never acknowledged, as far as
 * the envelope knows, small, and written within these last moments before the queue was last changed. Kernels write
 * dirty pages back within 30 s, so what is older was safe before the crash; so a start with 100,000 messages reads a
 * handful. All others are compared when they are first opened for delivery (queue_facts.checked).
 */
enum { CHECK_BYTES = 64 << 10, CHECK_SECONDS = 300 };

struct walker {
	const struct queue *q;
	const struct queue_walk *walk;
	struct queue_report *report;
	bool repair;
	time_t since; /* contents written from then on are checked */
};

struct content {
	struct place place;
	bool there, tried; /* tried: it lies in cur/ */
	bool odd;	   /* something else stands there, or it cannot be looked at */
	uint64_t size;
	time_t mtime;
};

enum fate { VALID, LEAF, DAMAGED };

static enum fate damaged(struct err *err, const char *why)
{
	err_set(err, "%s", why);
	return DAMAGED;
}

static struct content find_content(const struct walker *s, const struct queue_id *id)
{
	struct content c = { 0 };
	struct stat st;

	c.there = place_find(s->q, id, &c.place, &st) == 0;
	c.odd = c.there ? !S_ISREG(st.st_mode) : errno != ENOENT;
	if (!c.there)
		return c;
	c.tried = c.place.dir == s->q->cur;
	c.size = (uint64_t)st.st_size;
	c.mtime = st.st_mtime;
	return c;
}

/* A sector of zeros: what a file system shows where the data never came. */
static bool has_hole(int fd, size_t size)
{
	static const char zeros[512];
	char bytes[sizeof(zeros)];

	for (size_t at = 0; at < size; at += sizeof(zeros)) {
		ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)at);
		if (n > 0 && memcmp(bytes, zeros, (size_t)n) == 0)
			return true;
	}
	return false;
}

static enum fate judge_bytes(const struct walker *s, const struct env *env, const struct content *c, bool *checked,
			     struct err *err)
{
	struct stat st;

	if (env->acknowledged || c->tried || c->size > CHECK_BYTES || c->mtime < s->since)
		return VALID;
	scoped_fd int fd = place_open(c->place.dir, c->place.name, O_RDONLY, &st);
	if (fd < 0)
		return damaged(err, "the message cannot be opened");
	*checked = queue_check_content(fd, env->content_size, env->content_crc) == 0;
	if (*checked)
		return VALID;
	if (errno == EBADMSG && has_hole(fd, c->size))
		return LEAF;
	return damaged(err, "the message is not what was committed");
}

static bool has_work(const struct env *env)
{
	for (uint32_t i = 0; i < env->n; i++)
		if (env_open(&env->recipients[i]) || env->recipients[i].state == ENV_FAILED)
			return true;
	return false;
}

/* The table of README: what a crash before the answer can leave is a leaf, anything else is kept. */
static enum fate judge(const struct walker *s, enum env_verdict verdict, const struct env *env, const struct content *c,
		       bool *checked, struct err *err)
{
	bool acknowledged = c->tried || env->acknowledged;

	if (verdict == ENV_DAMAGED)
		return DAMAGED;
	if (c->odd)
		return damaged(err, "the message cannot be looked at");
	if (verdict == ENV_TORN)
		return c->tried ? damaged(err, "the envelope of a message that was tried is torn") : LEAF;
	if (!c->there)
		return !acknowledged || !has_work(env) ? LEAF : damaged(err, "the message is missing");
	if (c->size > env->content_size)
		return damaged(err, "the message is longer than what was committed");
	if (c->size < env->content_size)
		return acknowledged ? damaged(err, "the message is shorter than what was committed") : LEAF;
	return judge_bytes(s, env, c, checked, err);
}

static struct queue_facts facts_of(const struct env *env, bool checked)
{
	struct queue_facts f = { .id = env->id,
				 .arrival_us = env->arrival_us,
				 .next_try_us = env->next_try_us,
				 .size = env->content_size,
				 .attempts = env->attempts,
				 .recipients = env->n,
				 .held = env->held,
				 .checked = checked };

	for (uint32_t i = 0; i < env->n; i++) {
		f.open += env_open(&env->recipients[i]);
		f.failed += env->recipients[i].state == ENV_FAILED;
	}
	return f;
}

static void drop_leaf(const struct walker *s, int dir, const char *name)
{
	if (s->repair)
		unlinkat(dir, name, 0);
}

static void keep_damaged(const struct walker *s, const struct queue_id *id, const char *why)
{
	s->report->damaged++;
	s->walk->damaged(s->walk->arg, id, why);
}

static void hand_over(const struct walker *s, const struct queue_id *id, const struct loaded *l, bool checked)
{
	struct queue_facts facts = facts_of(&l->env, checked);

	if (s->repair && l->valid < l->size) {
		/* loading is what cuts a torn tail; an entry to which nothing can be appended is of no use */
		scoped_arena struct arena a = { 0 };
		struct env again;
		struct err err;
		if (!queue_load(s->q, id, &a, &again, &err)) {
			keep_damaged(s, id, err.text);
			return;
		}
	}
	s->report->entries++;
	s->walk->entry(s->walk->arg, &facts, &l->env);
}

static bool is_file(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool walk_env(const struct walker *s, const struct dirent *e)
{
	scoped_arena struct arena a = { 0 };
	struct queue_id id;
	struct loaded l;
	struct err err = { .at = -1 };
	bool gone, checked = false;

	if (!queue_id_parse(str_from(e->d_name), &id) || !is_file(s->q->env, e))
		return false;
	enum env_verdict verdict = place_load(s->q, &id, &a, &l, &gone, &err);
	if (gone)
		return true;
	struct content c = find_content(s, &id);
	switch (judge(s, verdict, &l.env, &c, &checked, &err)) {
	case VALID: hand_over(s, &id, &l, checked); break;
	case DAMAGED: keep_damaged(s, &id, err.text); break;
	case LEAF:
		s->report->leaves++;
		drop_leaf(s, s->q->env, id.text);
		if (c.there)
			drop_leaf(s, c.place.dir, c.place.name);
		break;
	}
	return true;
}

/* "ID" or "ID:2," and letters. */
static bool parse_content_name(const char *name, struct queue_id *id)
{
	struct str rest = str_from(name), stem = str_cut(&rest, ':');
	bool plain = stem.n == strlen(name);

	if (!queue_id_parse(stem, id) || (!plain && !str_starts(rest, STR("2,"))))
		return false;
	for (size_t i = 2; i < rest.n; i++)
		if (!ascii_alpha(rest.p[i]))
			return false;
	return true;
}

static bool walk_content(const struct walker *s, int dir, const struct dirent *e)
{
	struct queue_id id;
	struct stat st;

	if (!parse_content_name(e->d_name, &id) || !is_file(dir, e))
		return false;
	if (fstatat(s->q->env, id.text, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return true;
	s->report->leaves++;
	drop_leaf(s, dir, e->d_name);
	return true;
}

static bool walk_new(const struct walker *s, const struct dirent *e)
{
	return walk_content(s, s->q->new, e);
}

static bool walk_cur(const struct walker *s, const struct dirent *e)
{
	return walk_content(s, s->q->cur, e);
}

static bool walk_tmp(const struct walker *s, const struct dirent *e)
{
	struct str stem = str_from(e->d_name);
	struct queue_id id;

	if (str_ends(stem, STR(".env")))
		stem.n -= 4;
	if (!queue_id_parse(stem, &id) || !is_file(s->q->tmp, e))
		return false;
	s->report->leaves++;
	drop_leaf(s, s->q->tmp, e->d_name);
	return true;
}

/* A mail reader that may write puts flags of its own behind the name: back to one of the places that we look at. */
static bool normalize_cur(const struct walker *s, const struct dirent *e)
{
	struct queue_id id;

	if (!parse_content_name(e->d_name, &id) || !is_file(s->q->cur, e))
		return true;
	for (size_t i = 1; i < PLACES; i++)
		if (strcmp(place_of(s->q, &id, i).name, e->d_name) == 0)
			return true;
	struct place to = place_of(s->q, &id, 1), found;
	struct stat st;
	if (place_find(s->q, &id, &found, &st) < 0 && errno == ENOENT)
		renameat(s->q->cur, e->d_name, to.dir, to.name);
	return true;
}

/* Calls `visit` with each name; names it does not know are counted. */
static bool walk_folder(const struct walker *s, int dir, const char *folder,
			bool (*visit)(const struct walker *s, const struct dirent *e), struct err *err)
{
	DIR *d = place_list(dir);

	if (!d)
		return err_errno(err, "cannot list the queue's folder %s", folder);
	for (;;) {
		errno = 0;
		struct dirent *e = readdir(d);
		if (!e)
			break;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			s->report->strangers += !visit(s, e);
	}
	int saved = errno;
	closedir(d);
	errno = saved;
	return saved == 0 || err_errno(err, "cannot list the queue's folder %s", folder);
}

/* The last sign of life of whoever had the queue before: a name came or went. */
static time_t last_change(const struct queue *q)
{
	const int dirs[] = { q->env, q->new, q->tmp };
	time_t last = 0;
	struct stat st;

	for (size_t i = 0; i < COUNT(dirs); i++)
		if (fstat(dirs[i], &st) == 0 && st.st_mtime > last)
			last = st.st_mtime;
	return last;
}

static bool walk_all(struct walker *s, struct err *err)
{
	const struct queue *q = s->q;

	*s->report = (struct queue_report){ 0 };
	s->since = last_change(q) - CHECK_SECONDS;
	return (!s->repair || walk_folder(s, q->cur, "cur", normalize_cur, err)) &&
	       walk_folder(s, q->env, "env", walk_env, err) && walk_folder(s, q->new, "new", walk_new, err) &&
	       walk_folder(s, q->cur, "cur", walk_cur, err) && walk_folder(s, q->tmp, "tmp", walk_tmp, err);
}

bool queue_sweep(const struct queue *q, const struct queue_walk *walk, struct queue_report *report, struct err *err)
{
	struct walker s = { .q = q, .walk = walk, .report = report, .repair = true };

	ASSERT(q->mode == QUEUE_OWN);
	return walk_all(&s, err);
}

bool queue_list(const struct queue *q, const struct queue_walk *walk, struct queue_report *report, struct err *err)
{
	struct walker s = { .q = q, .walk = walk, .report = report };

	return walk_all(&s, err);
}
