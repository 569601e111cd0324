#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/fd.h"
#include "queue/queue.h"

/* ---- a queue in a folder of its own ---- */

static char folder[64];

static void remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *e; d && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlinkat(fd, e->d_name, 0) < 0)
			remove_tree(fd, e->d_name);
	if (d)
		closedir(d);
	unlinkat(at, name, AT_REMOVEDIR);
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tayori-queue-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	remove_tree(AT_FDCWD, folder);
}

static struct queue open_owned(void)
{
	struct queue q;
	struct err err = { 0 };

	ck_assert_msg(queue_open(AT_FDCWD, folder, QUEUE_OWN, &q, &err), "%s", err.text);
	return q;
}

static bool exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put_file(int dir, const char *name, struct str bytes)
{
	int fd = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, bytes), 0);
	close(fd);
}

static void check_content(const struct queue *q, const struct queue_id *id, struct str want)
{
	scoped_buf struct buf b = { 0 };
	scoped_fd int fd = queue_open_content(q, id);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_read_rest(fd, &b), 0);
	ck_assert_str_is(buf_str(&b), want);
	ck_assert(write(fd, "x", 1) < 0);
}

/* ---- entries ---- */

#define CONTENT "Subject: x\n\nHello\n"
static struct env_recipient recipients[] = {
	{ .address = { "a@example.org", 13 }, .transport = { "local", 5 }, .user = { "a", 1 } },
	{ .address = { "b@example.net", 13 }, .transport = { "smtp", 4 } },
};

static struct env new_env(struct queue *q)
{
	return (struct env){ .id = queue_id_new(q),
			     .arrival_us = 1,
			     .sender = STR("s@example.com"),
			     .recipients = recipients,
			     .n = COUNT(recipients) };
}

static struct queue_id stage(struct queue *q, struct queue_write *w)
{
	struct env env = new_env(q);
	struct str parts[] = { STR("Subject: x\n"), STR(""), STR("\nHello\n") };

	ck_assert_int_eq(queue_stage(q, &env, parts, COUNT(parts), w), 0);
	ck_assert_uint_eq(env.content_size, strlen(CONTENT));
	ck_assert_uint_eq(env.content_crc, crc32c(0, STR(CONTENT)));
	return env.id;
}

static struct queue_id commit(struct queue *q)
{
	struct queue_write w;
	struct queue_id id = stage(q, &w);

	ck_assert_int_eq(queue_flush(q, &w, 1), 0);
	ck_assert(w.content == -1 && w.env == -1);
	return id;
}

/* ---- walking ---- */

struct seen {
	size_t entries, damaged, checked;
	struct queue_facts facts;
	char why[240];
};

static void see_entry(void *arg, const struct queue_facts *facts, const struct env *env)
{
	struct seen *s = arg;

	ck_assert_str_eq(facts->id.text, env->id.text);
	ck_assert_uint_eq(facts->recipients, env->n);
	s->entries++;
	s->checked += facts->checked;
	s->facts = *facts;
}

static void see_damaged(void *arg, const struct queue_id *id, const char *why)
{
	struct seen *s = arg;

	ck_assert_uint_ge(strlen(id->text), QUEUE_ID_LEAST);
	ck_assert_uint_gt(strlen(why), 0);
	s->damaged++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static struct queue_report sweep(const struct queue *q, struct seen *s)
{
	struct queue_walk walk = { s, see_entry, see_damaged };
	struct queue_report r;
	struct err err = { 0 };

	*s = (struct seen){ 0 };
	ck_assert_msg(queue_sweep(q, &walk, &r, &err), "%s", err.text);
	ck_assert_uint_eq(r.entries, s->entries);
	ck_assert_uint_eq(r.damaged, s->damaged);
	return r;
}

static struct queue_report list(const struct queue *q, struct seen *s)
{
	struct queue_walk walk = { s, see_entry, see_damaged };
	struct queue_report r;

	*s = (struct seen){ 0 };
	ck_assert(queue_list(q, &walk, &r, NULL));
	return r;
}

/* ---- opening ---- */

START_TEST(two_openers)
{
	struct queue q = open_owned(), second;
	struct err err = { 0 };
	struct stat st;

	ck_assert(!queue_open(AT_FDCWD, folder, QUEUE_OWN, &second, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "in use by another process"));
	ck_assert(!queue_open(AT_FDCWD, folder, QUEUE_READ, &second, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "in use by another process"));
	queue_close(&q);
	ck_assert(queue_open(AT_FDCWD, folder, QUEUE_READ, &q, NULL));
	ck_assert(queue_open(q.dir, ".", QUEUE_OWN, &second, NULL)); /* who looks does not hinder */
	ck_assert(fstat(second.env, &st) == 0 && (st.st_mode & 07777) == 0700);
	queue_close(&second);
	queue_close(&q);
}
END_TEST

START_TEST(bad_folders)
{
	struct queue q;
	struct err err = { 0 };
	char path[80];

	snprintf(path, sizeof(path), "%s/none/deeper", folder);
	ck_assert(!queue_open(AT_FDCWD, path, QUEUE_OWN, &q, &err));
	snprintf(path, sizeof(path), "%s/none", folder);
	ck_assert(!queue_open(AT_FDCWD, path, QUEUE_READ, &q, &err));
	ck_assert(!exists(AT_FDCWD, path));
	ck_assert(queue_open(AT_FDCWD, path, QUEUE_OWN, &q, &err));
	queue_close(&q);
	chmod(path, 0770);
	ck_assert(!queue_open(AT_FDCWD, path, QUEUE_OWN, &q, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "written by others"));
	chmod(path, 0700);
	snprintf(path, sizeof(path), "%s/env", folder);
	ck_assert_int_eq(symlink("none/env", path), 0);
	ck_assert(!queue_open(AT_FDCWD, folder, QUEUE_OWN, &q, &err));
	unlink(path);
}
END_TEST

START_TEST(free_space)
{
	struct queue q = open_owned();
	struct queue_space space;

	ck_assert_int_eq(queue_space(&q, &space), 0);
	ck_assert(space.bytes > 0 && space.inodes > 0);
	queue_close(&q);
	ck_assert(q.dir == -1 && q.env == -1);
}
END_TEST

START_TEST(ids_unique)
{
	struct queue q = open_owned();
	scoped_table struct table t = { 0 };

	for (int i = 0; i < 100000; i++) {
		struct queue_id id = queue_id_new(&q), back;
		ck_assert(queue_id_parse(queue_id_str(&id), &back));
		ck_assert_ptr_null(table_set(&t, queue_id_str(&id), &t));
	}
	queue_close(&q);
}
END_TEST

/* ---- the way of an entry ---- */

START_TEST(life)
{
	struct queue q = open_owned();
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf records = { 0 };
	struct queue_id id = commit(&q);
	struct seen s;
	struct env env;
	char name[40];

	ck_assert(exists(q.new, id.text));
	check_content(&q, &id, STR(CONTENT));
	env_put_result(&id, 0, ENV_DELIVERED, 5, STR("2.0.0"), STR("done"), &records);
	env_put_result(&id, 1, ENV_DEFERRED, 6, STR("4.0.0"), STR("later"), &records);
	env_put_schedule(&id, 77, 1, &records);
	ck_assert_int_eq(queue_progress(&q, &id, buf_str(&records)), 0);
	ck_assert_int_eq(queue_mark(&q, &id, true, false), 0);
	ck_assert_int_eq(queue_mark(&q, &id, true, true), 0);
	snprintf(name, sizeof(name), "%s:2,dh", id.text);
	ck_assert(exists(q.cur, name) && !exists(q.new, id.text));
	ck_assert(queue_load(&q, &id, &a, &env, NULL));
	ck_assert(env.recipients[0].state == ENV_DELIVERED && env.next_try_us == 77 && env.attempts == 1);
	check_content(&q, &id, STR(CONTENT));
	struct queue_report r = sweep(&q, &s);
	ck_assert(r.entries == 1 && r.leaves == 0 && r.strangers == 0 && s.checked == 0);
	ck_assert(s.facts.open == 1 && s.facts.recipients == 2 && s.facts.next_try_us == 77 && !s.facts.held);
	ck_assert_int_eq(queue_mark(&q, &id, false, false), 0);
	ck_assert_int_eq(queue_remove(&q, &id), 0);
	ck_assert_int_eq(queue_remove(&q, &id), 0);
	ck_assert(queue_open_content(&q, &id) == -1 && errno == ENOENT);
	ck_assert(!queue_load(&q, &id, &a, &env, NULL));
	ck_assert(queue_progress(&q, &id, buf_str(&records)) == -1 && errno == ENOENT);
	r = sweep(&q, &s);
	ck_assert(r.entries == 0 && r.leaves == 0);
	queue_close(&q);
}
END_TEST

START_TEST(rewritten)
{
	struct queue q = open_owned();
	scoped_arena struct arena a = { 0 };
	struct queue_id id = commit(&q);
	struct stat before, after;
	struct env env;

	for (int i = 0; i < 100; i++) {
		scoped_buf struct buf records = { 0 };
		env_put_result(&id, 1, ENV_DEFERRED, i, STR("4.0.0"), STR("later"), &records);
		ck_assert_int_eq(queue_progress(&q, &id, buf_str(&records)), 0);
	}
	fstatat(q.env, id.text, &before, 0);
	ck_assert_int_eq(queue_rewrite(&q, &id), 0);
	fstatat(q.env, id.text, &after, 0);
	ck_assert(after.st_size < before.st_size / 5 && after.st_ino != before.st_ino);
	ck_assert(queue_load(&q, &id, &a, &env, NULL));
	ck_assert(env.recipients[1].at_us == 99 && env.acknowledged);
	queue_close(&q);
}
END_TEST

START_TEST(large_data)
{
	struct queue q = open_owned();
	struct env env = new_env(&q);
	struct queue_write w;
	struct seen s;
	int fd = queue_tmp_create(&q, &env.id), second = dup(fd);

	ck_assert_int_ge(fd, 0);
	ck_assert(queue_tmp_create(&q, &env.id) == -1 && errno == EEXIST);
	ck_assert_int_eq(fd_write_all(fd, STR(CONTENT)), 0);
	close(fd);
	ck_assert(queue_stage_tmp(&q, &env, &w) == -1 && errno == EBUSY);
	ck_assert(w.content == -1 && w.env == -1 && !exists(q.tmp, env.id.text) && !exists(q.new, env.id.text));
	close(second);
	fd = queue_tmp_create(&q, &env.id);
	ck_assert_int_eq(fd_write_all(fd, STR(CONTENT)), 0);
	close(fd);
	env.content_crc = crc32c(0, STR(CONTENT));
	ck_assert_int_eq(queue_stage_tmp(&q, &env, &w), 0);
	ck_assert_uint_eq(env.content_size, strlen(CONTENT));
	ck_assert_int_eq(queue_flush(&q, &w, 1), 0);
	ck_assert(!exists(q.tmp, env.id.text));
	check_content(&q, &env.id, STR(CONTENT));
	struct queue_report r = sweep(&q, &s);
	ck_assert(r.entries == 1 && s.checked == 1);
	ck_assert(queue_stage_tmp(&q, &env, &w) == -1 && errno == ENOENT);
	ck_assert(exists(q.new, env.id.text) && exists(q.env, env.id.text));
	queue_close(&q);
}
END_TEST

/* An id that is taken, in whatever folder its content lies by now: the entry that has it suffers nothing. */
START_TEST(taken_id)
{
	struct queue q = open_owned();
	struct env env = new_env(&q);
	struct str part = STR(CONTENT);
	struct queue_write w;
	struct seen s;

	env.id = commit(&q);
	ck_assert(queue_stage(&q, &env, &part, 1, &w) == -1 && errno == EEXIST);
	ck_assert_int_eq(queue_mark(&q, &env.id, true, false), 0);
	ck_assert(queue_stage(&q, &env, &part, 1, &w) == -1 && errno == EEXIST);
	ck_assert_uint_eq(sweep(&q, &s).entries, 1);
	queue_close(&q);
}
END_TEST

START_TEST(too_large_envelope)
{
	struct queue q = open_owned();
	struct env env = new_env(&q);
	struct str part = STR(CONTENT);
	struct queue_write w;

	env.n = 0;
	ck_assert(queue_stage(&q, &env, &part, 1, &w) == -1 && errno == EMSGSIZE);
	ck_assert(!exists(q.new, env.id.text) && !exists(q.env, env.id.text) && w.content == -1 && w.env == -1);
	queue_close(&q);
}
END_TEST

/* ---- flushes that fail ---- */

static int flushes_left;

static int fail_later(int fd)
{
	(void)fd;
	if (flushes_left-- > 0)
		return 0;
	return errno = EIO, -1;
}

/* Alone: content, env, new/, env/. Whichever of them fails, all fails, and nothing of it is believed. */
START_TEST(failing_fsync)
{
	struct queue q = open_owned();
	struct queue_write w[2];
	struct seen s;

	q.fsync = fail_later;
	q.names_by_fsync = false;
	for (int fail = 0; fail <= 6; fail++) {
		size_t n = 1 + (size_t)(fail % 2);
		for (size_t i = 0; i < n; i++)
			stage(&q, &w[i]);
		flushes_left = fail;
		bool ok = queue_flush(&q, w, n) == 0;
		ck_assert_int_eq(ok, fail >= (int)(2 * n + 2));
		for (size_t i = 0; i < n; i++) {
			ck_assert(w[i].content == -1 && w[i].env == -1);
			if (!ok)
				queue_unstage(&q, &w[i]);
			else
				queue_remove(&q, &w[i].id);
			ck_assert(!exists(q.new, w[i].id.text) && !exists(q.env, w[i].id.text));
		}
	}
	q.names_by_fsync = true;
	stage(&q, &w[0]);
	flushes_left = 2;
	ck_assert_int_eq(queue_flush(&q, w, 1), 0);
	ck_assert_uint_eq(sweep(&q, &s).entries, 1);
	queue_close(&q);
}
END_TEST

START_TEST(failing_syncfs)
{
	struct queue q = open_owned();
	struct queue_write w[3];
	struct seen s;

	q.syncfs = fail_later;
	flushes_left = 0;
	for (size_t i = 0; i < COUNT(w); i++)
		stage(&q, &w[i]);
	ck_assert_int_eq(queue_flush(&q, w, COUNT(w)), -1);
	ck_assert_int_eq(errno, EIO);
	for (size_t i = 0; i < COUNT(w); i++)
		queue_unstage(&q, &w[i]);
	struct queue_report r = sweep(&q, &s);
	ck_assert(r.entries == 0 && r.leaves == 0 && r.damaged == 0);
	queue_close(&q);
}
END_TEST

START_TEST(failing_progress)
{
	struct queue q = open_owned();
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf records = { 0 };
	struct queue_id id = commit(&q);
	struct env env;

	env_put_result(&id, 0, ENV_DELIVERED, 5, STR(""), STR(""), &records);
	q.fsync = fail_later;
	flushes_left = 0;
	ck_assert(queue_progress(&q, &id, buf_str(&records)) == -1 && errno == EIO);
	for (flushes_left = 0; flushes_left < 2;) {
		int left = flushes_left;
		ck_assert(queue_rewrite(&q, &id) == -1 && errno == EIO);
		flushes_left = left + 1;
	}
	ck_assert_int_eq(queue_rewrite(&q, &id), 0);
	ck_assert(queue_load(&q, &id, &a, &env, NULL) && env.recipients[0].state == ENV_DELIVERED);
	queue_close(&q);
}
END_TEST

static volatile sig_atomic_t unused;

static void on_xfsz(int sig)
{
	unused = sig;
}

/* A write that stops in the middle leaves no half record. */
START_TEST(full_disk)
{
	struct queue q = open_owned();
	scoped_buf struct buf records = { 0 };
	struct queue_id id = commit(&q);
	struct queue_write w;
	struct env env = new_env(&q);
	struct str part = STR(CONTENT);
	struct stat before, after;
	struct rlimit limit;

	for (int i = 0; i < 20; i++)
		env_put_schedule(&id, i, 1, &records);
	fstatat(q.env, id.text, &before, 0);
	signal(SIGXFSZ, on_xfsz);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = (rlim_t)before.st_size + 40;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert(queue_progress(&q, &id, buf_str(&records)) == -1 && errno == EFBIG);
	fstatat(q.env, id.text, &after, 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	for (limit.rlim_cur = 0; limit.rlim_cur < 100; limit.rlim_cur++) {
		setrlimit(RLIMIT_FSIZE, &limit);
		ck_assert(queue_stage(&q, &env, &part, 1, &w) == -1 && errno == EFBIG);
		ck_assert(!exists(q.new, env.id.text) && !exists(q.env, env.id.text));
	}
	queue_close(&q);
}
END_TEST

/* ---- every state that a crash can leave, and some that it cannot ---- */

enum content_state { NO_CONTENT, SHORT, ZEROS, ZERO_TAIL, FULL, LONG, SPOILT, CONTENT_STATES };
enum env_file { NO_ENV, TORN, WHOLE, PROGRESS, FINAL, TORN_PROGRESS, BROKEN, ENV_FILES };
enum content_dir { IN_NEW, IN_CUR, CONTENT_DIRS };
enum outcome { NOTHING, LEAF, ENTRY, KEPT };

/* What README's table says. */
static enum outcome expected(enum content_state c, enum env_file e, enum content_dir d)
{
	bool acknowledged = d == IN_CUR || (e >= PROGRESS && e <= TORN_PROGRESS);

	if (c == NO_CONTENT) {
		acknowledged = e >= PROGRESS;
		d = IN_NEW;
	}
	if (e == NO_ENV)
		return c == NO_CONTENT ? NOTHING : LEAF;
	if (e == BROKEN)
		return KEPT;
	if (e == TORN)
		return d == IN_CUR ? KEPT : LEAF;
	switch (c) {
	case NO_CONTENT: return !acknowledged || e == FINAL ? LEAF : KEPT;
	case SHORT: return acknowledged ? KEPT : LEAF;
	case ZEROS:
	case ZERO_TAIL: return acknowledged ? ENTRY : LEAF; /* found when it is first opened */
	case SPOILT: return acknowledged ? ENTRY : KEPT;
	case FULL: return ENTRY;
	default: return KEPT;
	}
}

static struct str big_content(void)
{
	static char text[1500];

	memset(text, 'x', sizeof(text));
	return str_of(text, sizeof(text));
}

static void build_content(const struct queue *q, const char *id, enum content_state c, enum content_dir d)
{
	char bytes[1501], name[40];
	size_t n = 1500;

	if (c == NO_CONTENT)
		return;
	memcpy(bytes, big_content().p, n);
	bytes[n] = 'x';
	if (c == ZEROS || c == ZERO_TAIL)
		memset(bytes + (c == ZEROS ? 0 : 1024), 0, n - (c == ZEROS ? 0 : 1024));
	if (c == SPOILT)
		bytes[700] = 'y';
	snprintf(name, sizeof(name), "%s%s", id, d == IN_CUR ? ":2,d" : "");
	put_file(d == IN_CUR ? q->cur : q->new, name, str_of(bytes, c == SHORT ? n - 1 : c == LONG ? n + 1 : n));
}

static void build_env(const struct queue *q, struct env *env, enum env_file e, size_t cut)
{
	scoped_buf struct buf b = { 0 };
	size_t head;

	if (e == NO_ENV)
		return;
	env->content_size = 1500;
	env->content_crc = crc32c(0, big_content());
	ck_assert(env_encode(env, &b));
	head = b.n;
	for (uint32_t i = 0; i < env->n && e >= PROGRESS && e != BROKEN; i++)
		env_put_result(&env->id, i, e == FINAL ? ENV_DELIVERED : ENV_DEFERRED, 5, STR(""), STR("t"), &b);
	if (e == TORN)
		b.n = cut % head;
	if (e == TORN_PROGRESS)
		b.n -= 1 + cut % 20;
	if (e == BROKEN)
		b.p[20] = (char)(b.p[20] ^ 4);
	put_file(q->env, env->id.text, buf_str(&b));
}

static void check_state(struct queue *q, enum content_state c, enum env_file e, enum content_dir d, size_t cut)
{
	struct env env = new_env(q);
	enum outcome want = expected(c, e, d);
	struct seen listed, s;

	build_content(q, env.id.text, c, d);
	build_env(q, &env, e, cut);
	struct queue_report look = list(q, &listed), r = sweep(q, &s);
	ck_assert_msg(r.entries == (want == ENTRY) && r.damaged == (want == KEPT) && r.leaves == (want == LEAF),
		      "content %d env %d in %d cut %zu: %zu entries, %zu damaged (%s), %zu leaves", (int)c, (int)e,
		      (int)d, cut, r.entries, r.damaged, s.why, r.leaves);
	ck_assert(look.entries == r.entries && look.damaged == r.damaged && look.leaves == r.leaves);
	bool kept = want == ENTRY || want == KEPT;
	ck_assert_int_eq(exists(q->env, env.id.text), kept);
	scoped_fd int fd = queue_open_content(q, &env.id);
	ck_assert_int_eq(fd >= 0, kept && c != NO_CONTENT);
	struct queue_report again = sweep(q, &s);
	ck_assert(again.entries == r.entries && again.damaged == r.damaged && again.leaves == 0);
	queue_remove(q, &env.id);
}

START_TEST(every_state)
{
	struct queue q = open_owned();

	for (unsigned c = 0; c < CONTENT_STATES; c++)
		for (unsigned e = 0; e < ENV_FILES; e++)
			for (unsigned d = 0; d < CONTENT_DIRS; d++)
				check_state(&q, c, e, d, 30);
	queue_close(&q);
}
END_TEST

START_TEST(envelope_torn_everywhere)
{
	struct queue q = open_owned();
	scoped_buf struct buf b = { 0 };
	struct env env = new_env(&q);

	ck_assert(env_encode(&env, &b));
	for (size_t cut = 0; cut < b.n; cut++)
		check_state(&q, cut % 3 ? FULL : SHORT, TORN, IN_NEW, cut);
	queue_close(&q);
}
END_TEST

/* The tail is cut by the sweep, and by loading; what is appended then is found. */
START_TEST(progress_torn_everywhere)
{
	struct queue q = open_owned();
	scoped_buf struct buf records = { 0 }, more = { 0 }, whole = { 0 };
	struct queue_id id = commit(&q);
	struct seen s;
	int fd = openat(q.env, id.text, O_RDONLY);

	ck_assert_int_eq(fd_read_rest(fd, &whole), 0);
	close(fd);
	env_put_result(&id, 0, ENV_DELIVERED, 5, STR("2.0.0"), STR("done"), &records);
	env_put_schedule(&id, 99, 3, &more);
	for (size_t cut = 0; cut <= 2 * records.n; cut++) {
		scoped_arena struct arena a = { 0 };
		scoped_buf struct buf file = { 0 };
		struct env env;
		buf_add(&file, buf_str(&whole));
		buf_add(&file, str_head(buf_str(&records), cut / 2));
		while (cut % 2 && file.n < whole.n + records.n)
			buf_addc(&file, 0);
		put_file(q.env, id.text, buf_str(&file));
		if (cut % 4 < 2)
			ck_assert_uint_eq(sweep(&q, &s).entries, 1);
		else
			ck_assert(queue_load(&q, &id, &a, &env, NULL));
		ck_assert_int_eq(queue_progress(&q, &id, buf_str(&more)), 0);
		ck_assert_msg(queue_load(&q, &id, &a, &env, NULL), "cut %zu", cut);
		ck_assert(env.next_try_us == 99);
		ck_assert_int_eq(env.recipients[0].state == ENV_DELIVERED, cut / 2 == records.n);
	}
	queue_close(&q);
}
END_TEST

START_TEST(leaves_in_tmp)
{
	struct queue q = open_owned();
	struct queue_id id = queue_id_new(&q);
	char name[40];
	struct seen s;

	snprintf(name, sizeof(name), "%s.env", id.text);
	put_file(q.tmp, id.text, STR("half"));
	put_file(q.tmp, name, STR("half"));
	ck_assert_uint_eq(sweep(&q, &s).leaves, 2);
	ck_assert(!exists(q.tmp, id.text) && !exists(q.tmp, name));
	queue_close(&q);
}
END_TEST

START_TEST(strangers)
{
	static const char *const names[] = { "README",
					     ".dotfile",
					     "0123456789A",
					     "1234567890:3,S",
					     "1234567890.bak",
					     "1234567890:2,\n",
					     "1795326749.M1P2.host:2,S",
					     "core" };
	struct queue q = open_owned();
	const int dirs[] = { q.tmp, q.new, q.cur, q.env };
	struct seen s;

	for (size_t d = 0; d < COUNT(dirs); d++) {
		for (size_t i = 0; i < COUNT(names); i++)
			put_file(dirs[d], names[i], STR("not ours"));
		ck_assert_int_eq(mkdirat(dirs[d], "BBBBBBBBBB", 0700), 0);
		ck_assert_int_eq(symlinkat("/etc/passwd", dirs[d], "CCCCCCCCCC"), 0);
		ck_assert_int_eq(mkfifoat(dirs[d], "DDDDDDDDDD", 0600), 0);
	}
	put_file(q.dir, "lost+found", STR(""));
	struct queue_report r = sweep(&q, &s);
	ck_assert_uint_eq(r.strangers, 4 * (COUNT(names) + 3));
	ck_assert(r.entries == 0 && r.damaged == 0 && r.leaves == 0);
	for (size_t d = 0; d < COUNT(dirs); d++)
		for (size_t i = 0; i < COUNT(names); i++)
			ck_assert(exists(dirs[d], names[i]));
	ck_assert(exists(q.env, "BBBBBBBBBB") && exists(q.cur, "CCCCCCCCCC") && exists(q.new, "DDDDDDDDDD"));
	queue_close(&q);
}
END_TEST

/* A mail reader that was not told to keep its hands off. */
START_TEST(foreign_flags)
{
	struct queue q = open_owned();
	struct queue_id id = commit(&q);
	char name[40];
	struct seen s;

	snprintf(name, sizeof(name), "%s:2,FRS", id.text);
	ck_assert_int_eq(renameat(q.new, id.text, q.cur, name), 0);
	ck_assert_uint_eq(sweep(&q, &s).entries, 1);
	check_content(&q, &id, STR(CONTENT));
	queue_close(&q);
}
END_TEST

/* What stands in place of the message is no message, and the envelope is not thrown away for it. */
START_TEST(odd_content)
{
	struct queue q = open_owned();
	struct queue_id id = commit(&q);
	struct seen s;

	unlinkat(q.new, id.text, 0);
	ck_assert_int_eq(mkdirat(q.new, id.text, 0700), 0);
	ck_assert_uint_eq(sweep(&q, &s).damaged, 1);
	ck_assert(exists(q.env, id.text) && queue_open_content(&q, &id) == -1);
	unlinkat(q.new, id.text, AT_REMOVEDIR);
	ck_assert_int_eq(symlinkat("/etc/passwd", q.new, id.text), 0);
	ck_assert_uint_eq(sweep(&q, &s).damaged, 1);
	ck_assert(queue_open_content(&q, &id) == -1 && errno == ELOOP);
	queue_close(&q);
}
END_TEST

START_TEST(checked_later)
{
	struct queue q = open_owned();
	struct queue_id id = commit(&q);
	struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct seen s;

	ck_assert(sweep(&q, &s).entries == 1 && s.checked == 1);
	put_file(q.new, id.text, STR("Subject: x\n\nHallo\n"));
	ck_assert_int_eq(utimensat(q.new, id.text, old, 0), 0);
	ck_assert(sweep(&q, &s).entries == 1 && s.checked == 0);
	scoped_fd int fd = queue_open_content(&q, &id);
	ck_assert(queue_check_content(fd, strlen(CONTENT), crc32c(0, STR(CONTENT))) == -1 && errno == EBADMSG);
	ck_assert(queue_check_content(fd, 3, 0) == -1 && errno == EBADMSG);
	ck_assert_int_eq(queue_check_content(fd, strlen(CONTENT), crc32c(0, STR("Subject: x\n\nHallo\n"))), 0);
	check_content(&q, &id, STR("Subject: x\n\nHallo\n"));
	queue_close(&q);
}
END_TEST

/* ---- many ---- */

START_TEST(ten_thousand)
{
	enum { ALL = 10000, BATCH = 250 };
	struct queue q = open_owned();
	struct queue_write w[BATCH];
	struct seen s;

	for (int n = 0; n < ALL; n += BATCH) {
		for (int i = 0; i < BATCH; i++)
			stage(&q, &w[i]);
		ck_assert_int_eq(queue_flush(&q, w, BATCH), 0);
	}
	queue_close(&q);
	q = open_owned();
	struct queue_report r = sweep(&q, &s);
	ck_assert(r.entries == ALL && r.damaged == 0 && r.leaves == 0 && r.strangers == 0 && s.checked == ALL);
	queue_close(&q);
}
END_TEST

TEST_MAIN("queue", {
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, two_openers);
	tcase_add_test(tc, bad_folders);
	tcase_add_test(tc, free_space);
	tcase_add_test(tc, ids_unique);
	tcase_add_test(tc, life);
	tcase_add_test(tc, rewritten);
	tcase_add_test(tc, large_data);
	tcase_add_test(tc, taken_id);
	tcase_add_test(tc, too_large_envelope);
	tcase_add_test(tc, failing_fsync);
	tcase_add_test(tc, failing_syncfs);
	tcase_add_test(tc, failing_progress);
	tcase_add_test(tc, full_disk);
	tcase_add_test(tc, every_state);
	tcase_add_test(tc, envelope_torn_everywhere);
	tcase_add_test(tc, progress_torn_everywhere);
	tcase_add_test(tc, leaves_in_tmp);
	tcase_add_test(tc, strangers);
	tcase_add_test(tc, foreign_flags);
	tcase_add_test(tc, odd_content);
	tcase_add_test(tc, checked_later);
	tcase_add_test(tc, ten_thousand);
})
