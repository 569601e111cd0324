#include "views.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/hash.h"
#include "base/time.h"

/*
 * Several sessions of one user, deliveries, POP3 and a foreign program, all at once, in processes of their own. All write
 * down what they see in one file, with which the parent checks what must hold.
 *
 *   +token       will be answered for: written after the answer
 *   -token       somebody is about to remove it
 *   =uidvalidity.uid token           what a UID showed
 *   @uidvalidity.uid position        a row of a view that was opened after the file had that length
 *   !uidvalidity.uid                 was seen to be gone
 */
enum { SESSIONS = 3, KEPT_FILES = 60 };

static const char *const folders[] = { "", "A" };

static int journal = -1;
static unsigned *stop; /* shared */
static uint64_t state; /* of this process's dice */

static unsigned dice(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	char line[160];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (write(journal, line, (size_t)n) != n)
		_exit(70);
}

static off_t position(void)
{
	return lseek(journal, 0, SEEK_END);
}

/* What must hold in this process itself. */
#define HOLDS(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			_exit(71); \
		} \
	} while (0)

static unsigned long new_token(void)
{
	static unsigned long count;

	return (unsigned long)getpid() * 1000000 + ++count;
}

static unsigned long token_of(int fd)
{
	char text[64] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || strncmp(text, "Subject: ", 9) != 0)
		return 0;
	return strtoul(text + 9, NULL, 10);
}

static const char *letter(unsigned long token)
{
	static char text[64];

	snprintf(text, sizeof(text), "Subject: %lu\n\nx\n", token);
	return text;
}

/* ---- a session ---- */

static void note_rows(const struct mbox_view *v, size_t from, off_t before)
{
	for (size_t i = from; i < v->n; i++)
		note("@%u.%u %ld\n", v->uidvalidity, v->rows[i].uid, (long)before);
}

static void note_gone(struct mbox_view *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->rows[i].marks & ROW_GONE)
			note("!%u.%u\n", v->uidvalidity, v->rows[i].uid);
	mbox_view_forget(v);
}

/* Rows only grow in modseq, and change only with a higher one; UIDs ascend. */
static void check_rows(const struct mbox_view *v, const struct mbox_row *old, size_t n)
{
	HOLDS(v->n >= n);
	for (size_t i = 0; i < v->n; i++) {
		HOLDS(i == 0 || v->rows[i].uid > v->rows[i - 1].uid);
		HOLDS(v->rows[i].modseq <= v->modseq);
		HOLDS(v->rows[i].uid < v->uidnext);
		if (i >= n)
			continue;
		HOLDS(v->rows[i].uid == old[i].uid);
		HOLDS(v->rows[i].modseq >= old[i].modseq);
		HOLDS(v->rows[i].flags == old[i].flags || v->rows[i].modseq > old[i].modseq);
	}
}

static bool fine(enum mbox_result r, const struct err *err)
{
	if (r != MBOX_OK && r != MBOX_BUSY)
		fprintf(stderr, "%d: %s\n", r, err->text);
	return r == MBOX_OK;
}

struct eyes {
	struct mbox_row *rows;
	size_t n;
	uint64_t modseq;
};

static struct eyes look(const struct mbox_view *v)
{
	struct eyes e = { malloc((v->n + 1) * sizeof(*e.rows)), v->n, v->modseq };

	if (v->n)
		memcpy(e.rows, v->rows, v->n * sizeof(*e.rows));
	return e;
}

static void after(struct mbox_view *v, struct eyes *e)
{
	HOLDS(v->modseq >= e->modseq);
	check_rows(v, e->rows, e->n);
	free(e->rows);
}

static void read_some(struct mbox_view *v)
{
	for (int k = 0; k < 3 && v->n; k++) {
		size_t i = dice((unsigned)v->n);
		uint32_t uid = v->rows[i].uid;
		scoped_fd int fd = mbox_view_file(v, i);
		unsigned long token = fd >= 0 ? token_of(fd) : 0;
		HOLDS(v->rows[i].uid == uid);
		if (token)
			note("=%u.%u %lu\n", v->uidvalidity, uid, token);
	}
}

static bool see_envelope(void *ctx, size_t row, const struct mbox_facts *f)
{
	const struct mbox_view *v = ctx;
	struct str e = f->envelope;
	unsigned long token = e.n > 6 ? strtoul(e.p + 6, NULL, 10) : 0; /* (NIL "token" */

	note("=%u.%u %lu\n", v->uidvalidity, v->rows[row].uid, token);
	return true;
}

static size_t choose(const struct mbox_view *v, size_t which[], size_t most)
{
	size_t n = v->n ? 1 + dice((unsigned)most) : 0, kept = 0;

	for (size_t i = 0; i < v->n && kept < n; i++)
		if (dice((unsigned)v->n) < n)
			which[kept++] = i;
	return kept;
}

/* Removal is announced first, by what the file holds. */
static size_t announce(struct mbox_view *v, size_t which[], size_t n)
{
	size_t kept = 0;

	for (size_t k = 0; k < n; k++) {
		scoped_fd int fd = mbox_view_file(v, which[k]);
		unsigned long token = fd >= 0 ? token_of(fd) : 0;
		if (!token)
			continue;
		note("-%lu\n", token);
		which[kept++] = which[k];
	}
	return kept;
}

static void append_one(struct mbox_user *u, const char *folder)
{
	unsigned long token = new_token();
	struct mbox_order o = home_order(folder, "", false);
	struct mbox_delivery *d = NULL;
	struct str keyword = dice(2) ? STR("$one") : STR("$two");
	uint32_t uidvalidity, uid;
	struct err err = { 0 };
	enum mbox_result r = mbox_begin(home, &o, &d, &err);

	if (!fine(r, &err))
		return;
	mbox_write(d, str_from(letter(token)), NULL);
	r = mbox_append(u, &d, dice(32), &keyword, dice(2), &uidvalidity, &uid, &err);
	if (fine(r, &err))
		note("+%lu\n=%u.%u %lu\n", token, uidvalidity, uid, token);
}

static void copy_some(struct mbox_view *v, const char *to)
{
	size_t which[5], n = choose(v, which, 5), moved;
	uint32_t uidvalidity, uids[5];
	struct err err = { 0 };

	fine(mbox_view_copy(v, which, n, str_from(to), dice(2), &uidvalidity, uids, &moved, &err), &err);
	HOLDS(moved <= n);
}

static void change_some(struct mbox_view *v)
{
	size_t which[20], n = choose(v, which, 20), refused[20], n_refused, done, missing;
	struct mbox_store s = { dice(3), dice(32) << 1 | (uint32_t)MBOX_KEYWORD_A * dice(4), UINT64_MAX };
	struct err err = { 0 };

	if (dice(4) == 0)
		s.unchanged_since = v->modseq;
	fine(mbox_view_store(v, which, n, &s, refused, &n_refused, &err), &err);
	HOLDS(n_refused <= n);
	if (dice(8) == 0)
		fine(mbox_view_facts(v, which, n, WANT_ENVELOPE | WANT_BODY, see_envelope, v, &done, &missing, &err),
		     &err);
}

static void expunge_some(struct mbox_view *v)
{
	size_t which[4], n = announce(v, which, choose(v, which, 4));
	struct err err = { 0 };

	if (v->n > KEPT_FILES)
		fine(mbox_view_expunge(v, which, n, &err), &err);
}

static void act(struct mbox_user *u, struct mbox_view *v, unsigned folder)
{
	struct eyes e = look(v);
	off_t before = position();
	size_t n = v->n;
	struct err err = { 0 };

	switch (dice(10)) {
	case 0: append_one(u, folders[folder]); break;
	case 1: copy_some(v, folders[dice(2)]); break;
	case 2: expunge_some(v); break;
	case 3: read_some(v); break;
	case 4:
	case 5:
	case 6: change_some(v); break;
	default: fine(mbox_view_sync(v, &err), &err);
	}
	note_rows(v, n, before);
	after(v, &e);
	if (dice(3) == 0)
		note_gone(v);
}

static struct mbox_view *open_one(struct mbox_user *u, unsigned folder)
{
	struct mbox_view *v = NULL;
	struct err err = { 0 };

	while (!v) {
		off_t before = position();
		fine(mbox_view_open(u, str_from(folders[folder]), false, &v, &err), &err);
		if (v)
			note_rows(v, 0, before);
	}
	return v;
}

/* Views as each session has them at the end: they must all be alike. */
static void tell_end(const struct mbox_view *v, unsigned folder)
{
	scoped_buf struct buf text = { 0 };
	char name[64];

	for (size_t i = 0; i < v->n; i++)
		v->rows[i].marks = 0;
	view_text(v, &text);
	snprintf(name, sizeof(name), "end.%u.%d", folder, (int)getpid());
	home_put(name, buf_cstr(&text));
}

static void session(void)
{
	const struct timespec settle = { .tv_sec = 2, .tv_nsec = 500000000 };
	struct mbox_user *u = mbox_user_new(home);
	struct mbox_view *v[2] = { open_one(u, 0), open_one(u, 1) };
	struct err err = { 0 };

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		unsigned folder = dice(2);
		if (dice(200) == 0) { /* another login */
			mbox_view_close(&v[0]);
			mbox_view_close(&v[1]);
			mbox_user_free(&u);
			u = mbox_user_new(home);
			v[0] = open_one(u, 0);
			v[1] = open_one(u, 1);
		}
		act(u, v[folder], folder);
	}
	/* all have ended their work before: what hides behind an unsure stamp is found now */
	while (__atomic_load_n(stop, __ATOMIC_RELAXED) < 2)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	nanosleep(&settle, NULL);
	for (unsigned i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++)
			HOLDS(fine(mbox_view_sync(v[i], &err), &err));
		mbox_view_forget(v[i]);
		tell_end(v[i], i);
		mbox_view_close(&v[i]);
	}
	mbox_user_free(&u);
}

/* ---- the others ---- */

static void deliverer(void)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		unsigned long token = new_token();
		char id[32];
		struct err err = { 0 };
		snprintf(id, sizeof(id), "Q%lu", token);
		if (fine(home_deliver(folders[dice(2)], id, dice(2), letter(token), &err), &err))
			note("+%lu\n", token);
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
	}
}

static void pop3(void)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		struct mbox *m;
		struct err err = { 0 };
		if (!fine(mbox_open(home, STR(""), MBOX_POP3, &m, &err), &err))
			continue;
		for (size_t i = 0; i < m->n; i++) {
			scoped_fd int fd = dice(10) ? -1 : mbox_message_open(m, i);
			unsigned long token = fd >= 0 ? token_of(fd) : 0;
			if (!token)
				continue;
			note("=%u.%u %lu\n", m->uidvalidity, m->messages[i].uid, token);
			if (m->n > KEPT_FILES && dice(20) == 0) {
				note("-%lu\n", token);
				fine(mbox_remove(m, &i, 1, &err), &err);
			}
		}
		mbox_close(&m);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

/* Renames (other flags), moves from new/ to cur/, removes and drops, as mutt or a script would. */
static void foreign_file(int dir, const char *name, bool may_remove)
{
	static const char letters[] = "DFRSTab";
	char to[300];
	const char *colon = strchr(name, ':');
	int n = colon ? (int)(colon - name) : (int)strlen(name);

	if (may_remove && dice(6) == 0) {
		scoped_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		unsigned long token = fd >= 0 ? token_of(fd) : 0;
		if (token)
			note("-%lu\n", token);
		if (token)
			unlinkat(dir, name, 0);
		return;
	}
	n = snprintf(to, sizeof(to), "../cur/%.*s:2,", n, name);
	for (const char *l = letters; *l; l++)
		if (dice(3) == 0)
			to[n++] = *l;
	to[n] = '\0';
	/* never over another file: that would be no program's doing */
	renameat2(dir, name, dir, to, RENAME_NOREPLACE);
}

static void foreign_pass(const char *path)
{
	scoped_fd int fd = openat(home, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(dup(fd));
	size_t n = 0;

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && ++n && dice(10) == 0)
			foreign_file(fd, e->d_name, n > KEPT_FILES);
	closedir(d);
}

static void foreigner(void)
{
	static const char *const paths[] = { "new", "cur", ".A/new", ".A/cur" };

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		foreign_pass(paths[dice(4)]);
		if (dice(3) == 0) {
			unsigned long token = new_token();
			char path[64];
			snprintf(path, sizeof(path), "%s/%d.f%lu.h%s", paths[dice(4)], (int)dice(1000000), token,
				 dice(2) ? ":2,S" : "");
			home_put("dropping", letter(token));
			if (renameat(home, "dropping", home, path) == 0)
				note("+%lu\n", token);
		}
		nanosleep(&(struct timespec){ .tv_nsec = dice(4) ? 2000000 : 60000000 }, NULL);
	}
}

/* Somebody removes the index again and again. */
static void thief(void)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		char aside[64];
		nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
		snprintf(aside, sizeof(aside), "tmp/index.%u", dice(1000000));
		renameat(home, "tayori-index", home, aside);
	}
}

/* Sessions that are killed at any moment, with whatever lock they hold. */
static void victim(void)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		pid_t child = fork();
		if (child == 0) {
			state += (uint64_t)getpid();
			struct mbox_user *u = mbox_user_new(home);
			struct mbox_view *v[2] = { open_one(u, 0), open_one(u, 1) };
			for (;;) {
				unsigned folder = dice(2);
				act(u, v[folder], folder);
			}
		}
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 + dice(150000000) }, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

/* ---- the parent ---- */

static void start(void (*work)(void), pid_t *pids, size_t *n)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		state = (uint64_t)getpid() * 7919 + (uint64_t)time(NULL);
		work();
		_exit(0);
	}
	pids[(*n)++] = child;
}

static char present[1];

static void find_tokens(const char *path, struct table *found)
{
	scoped_fd int fd = openat(home, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(dup(fd));

	for (struct dirent *e; (e = readdir(d));) {
		char token[32];
		scoped_fd int file = e->d_name[0] == '.' ? -1 : openat(fd, e->d_name, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		snprintf(token, sizeof(token), "%lu", token_of(file));
		table_set(found, str_from(token), present);
	}
	closedir(d);
}

struct facts {
	struct table added, removed, found, uids, gone;
	struct arena arena;
	size_t lost, twice, back;
};

static struct str keep_str(struct facts *f, struct str s)
{
	return arena_str(&f->arena, s);
}

static void read_line(struct facts *f, struct str line, size_t at)
{
	char how = line.p[0];
	struct str rest = str_skip(line, 1), first = str_cut(&rest, ' '), *known;
	uint64_t before;

	if (how == '+')
		table_set(&f->added, first, present);
	if (how == '-')
		table_set(&f->removed, first, present);
	if (how == '=') {
		known = table_get(&f->uids, first);
		if (known && !str_eq(*known, rest)) {
			fprintf(stderr, "UID %.*s was %.*s and is %.*s\n", STR_ARG(first), STR_ARG(*known),
				STR_ARG(rest));
			f->twice++;
		}
		known = arena_alloc(&f->arena, sizeof(*known));
		*known = keep_str(f, rest);
		table_set(&f->uids, first, known);
	}
	if (how == '!' && !table_get(&f->gone, first)) {
		size_t *where = arena_alloc(&f->arena, sizeof(*where));
		*where = at + 1;
		table_set(&f->gone, first, where);
	}
	if (how == '@' && str_u64(rest, UINT64_MAX, &before)) {
		size_t *where = table_get(&f->gone, first);
		if (where && *where <= before) {
			fprintf(stderr, "UID %.*s was gone, and is back\n", STR_ARG(first));
			f->back++;
		}
	}
}

static void check_journal(void)
{
	scoped_buf struct buf text = { 0 };
	struct facts f = { 0 };
	struct str key;
	void *value;

	home_get("journal", &text);
	struct str rest = buf_str(&text);
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		if (line.n)
			read_line(&f, line, (size_t)(line.p - text.p));
	}
	static const char *const paths[] = { "new", "cur", ".A/new", ".A/cur" };
	for (size_t i = 0; i < COUNT(paths); i++)
		find_tokens(paths[i], &f.found);
	for (size_t at = 0; table_next(&f.added, &at, &key, &value);)
		if (!table_get(&f.found, key) && !table_get(&f.removed, key)) {
			fprintf(stderr, "%.*s is lost\n", STR_ARG(key));
			f.lost++;
		}
	printf("race: %zu messages answered for, %zu announced for removal, %zu UIDs read, %zu seen to be gone\n",
	       f.added.n, f.removed.n, f.uids.n, f.gone.n);
	ck_assert_uint_eq(f.lost, 0);
	ck_assert_uint_eq(f.twice, 0);
	ck_assert_uint_eq(f.back, 0);
	ck_assert_uint_gt(f.added.n, 20);
	ck_assert_uint_gt(f.uids.n, 20);
	table_free(&f.added);
	table_free(&f.removed);
	table_free(&f.found);
	table_free(&f.uids);
	table_free(&f.gone);
	arena_free(&f.arena);
}

static void tell(void *arg, struct str folder, const char *text)
{
	buf_addf(arg, "%.*s: %s\n", STR_ARG(folder), text);
}

/* All sessions' views, and a fresh one from an index that is built from the files alone. */
static void check_end(const pid_t *pids)
{
	scoped_buf struct buf told = { 0 };
	struct mbox_report report = { tell, &told };
	size_t wrong;

	user = mbox_user_new(home);
	ck_assert_int_eq(mbox_check(user, &report, &wrong, NULL), MBOX_OK);
	ck_assert_msg(wrong == 0, "%s", buf_cstr(&told));
	ck_assert_int_eq(mbox_rebuild(user, NULL, NULL), MBOX_OK);
	for (unsigned i = 0; i < 2; i++) {
		scoped_buf struct buf want = { 0 };
		scoped_view struct mbox_view *v = view_open(folders[i]);
		for (size_t k = 0; k < v->n; k++)
			v->rows[k].marks = 0;
		view_text(v, &want);
		for (size_t s = 0; s < SESSIONS; s++) {
			scoped_buf struct buf got = { 0 };
			char name[64];
			snprintf(name, sizeof(name), "end.%u.%d", i, (int)pids[s]);
			home_get(name, &got);
			ck_assert_str_is(buf_str(&got), buf_str(&want));
		}
	}
	mbox_user_free(&user);
}

static void wait_for(const pid_t *pids, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++) {
		int status;
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %zu ended with %x", i,
			      (unsigned)status);
	}
}

static void race(void (*const others[])(void), size_t n_others)
{
	const char *seconds = getenv("RACE_SECONDS");
	pid_t pids[16];
	size_t n = 0;

	ck_assert_int_eq(mbox_create(user, STR("A"), NULL), MBOX_OK);
	for (int i = 0; i < 2; i++)
		mbox_view_close(&(struct mbox_view *){ view_open(folders[i]) });
	mbox_user_free(&user);
	journal = openat(home, "journal", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*stop = 0;
	for (size_t i = 0; i < SESSIONS; i++)
		start(session, pids, &n);
	for (size_t i = 0; i < n_others; i++)
		start(others[i], pids, &n);
	nanosleep(&(struct timespec){ .tv_sec = seconds ? atoi(seconds) : 3 }, NULL);
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	wait_for(pids, SESSIONS, n);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL); /* sessions end their last deed */
	__atomic_store_n(stop, 2, __ATOMIC_RELAXED);
	wait_for(pids, 0, SESSIONS);
	check_journal();
	check_end(pids);
}

START_TEST(ours_only)
{
	race((void (*const[])(void)){ deliverer, pop3 }, 2);
}
END_TEST

START_TEST(with_a_foreigner)
{
	race((void (*const[])(void)){ deliverer, pop3, foreigner }, 3);
}
END_TEST

START_TEST(with_a_thief)
{
	race((void (*const[])(void)){ deliverer, foreigner, thief }, 3);
}
END_TEST

START_TEST(with_kills)
{
	race((void (*const[])(void)){ deliverer, victim, victim }, 3);
}
END_TEST

TEST_MAIN("mbox race", tcase_add_checked_fixture(tc, user_make, home_remove); tcase_add_test(tc, ours_only);
	  tcase_add_test(tc, with_a_foreigner); tcase_add_test(tc, with_a_thief); tcase_add_test(tc, with_kills))
