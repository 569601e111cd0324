#include "views.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "mbox/sync.h"

/* What happens to an index while nobody has it open: whatever it is, no UID, flag or keyword changes. */

enum { MESSAGES = 300, WRONG = 42, TRIES = 6 };

static bool see(void *ctx, size_t row, const struct mbox_facts *f)
{
	(void)row;
	buf_addf(ctx, "%lld %lld %.*s\n", (long long)f->arrival, (long long)f->vsize, STR_ARG(f->envelope));
	return true;
}

/* All that a client can see of the folder, but for modseqs. */
static enum mbox_result describe(struct mbox_user *u, struct buf *out)
{
	struct mbox_view *v;
	size_t which[MESSAGES + 8], done, missing;
	enum mbox_result r = mbox_view_open(u, STR(""), false, &v, NULL);

	if (r)
		return r;
	buf_addf(out, "%u %s\n", v->uidvalidity, v->id);
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++)
		buf_addf(out, "%s ", v->keywords[i] ? v->keywords[i] : "-");
	for (size_t i = 0; i < v->n; i++) {
		v->rows[i].marks = 0;
		v->rows[i].flags &= ~(uint32_t)MBOX_DRAFT; /* left by one who died at work */
		which[i < COUNT(which) ? i : 0] = i;
	}
	view_text(v, out);
	r = mbox_view_facts(v, which, v->n < COUNT(which) ? v->n : COUNT(which), WANT_ENVELOPE | WANT_BODY, see, out,
			    &done, &missing, NULL);
	mbox_view_close(&v);
	return r;
}

static struct buf wanted;

/* Some changes too, so that the writing of damaged pages is met. */
static int work(void)
{
	struct mbox_user *u = mbox_user_new(home);
	scoped_buf struct buf got = { 0 };
	struct mbox_store s = { STORE_ADD, MBOX_DRAFT, UINT64_MAX };
	struct mbox_view *v;
	size_t refused[2], n;

	if (describe(u, &got) != MBOX_OK)
		return 1;
	if (!str_eq(buf_str(&got), buf_str(&wanted)))
		return WRONG;
	if (mbox_view_open(u, STR(""), false, &v, NULL))
		return 2;
	enum mbox_result r = mbox_view_store(v, (size_t[]){ 7, 299 }, 2, &s, refused, &n, NULL);
	s.how = STORE_TAKE;
	if (r || mbox_view_store(v, (size_t[]){ 7, 299 }, 2, &s, refused, &n, NULL))
		return 3;
	mbox_view_close(&v);
	buf_reset(&got);
	if (describe(u, &got) != MBOX_OK)
		return 4;
	mbox_user_free(&u);
	return str_eq(buf_str(&got), buf_str(&wanted)) ? 0 : WRONG;
}

/* In a process of its own, as it may die of a bad page; but not for ever. */
static void expect_the_same(const char *what)
{
	int status = 0;

	for (int try = 0; try < TRIES; try++) {
		pid_t child = fork();
		if (child == 0) {
			signal(SIGSEGV, SIG_DFL);
			signal(SIGBUS, SIG_DFL);
			signal(SIGABRT, SIG_DFL);
			/* LMDB follows a circle of pages without end */
			setrlimit(RLIMIT_CPU, &(struct rlimit){ 5, 5 });
			(void)!freopen("/dev/null", "w", stderr); /* LMDB's last words */
			_exit(work());
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return;
		ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != WRONG, "%s: a wrong answer", what);
	}
	ck_abort_msg("%s: still not usable after %d times (%x)", what, TRIES, (unsigned)status);
}

static void make_all(void)
{
	home_maildir();
	for (int i = 0; i < MESSAGES; i++) {
		char path[64], text[128];
		snprintf(path, sizeof(path), "cur/%d.m.h:2,%s", 1000 + i, i % 3 ? "S" : "FT");
		snprintf(text, sizeof(text), "From: a%d@b\nSubject: %d\n\nx\n", i, i);
		home_put(path, text);
	}
	struct mbox_user *u = mbox_user_new(home);
	struct mbox_view *v;
	ck_assert_int_eq(mbox_view_open(u, STR(""), false, &v, NULL), MBOX_OK);
	uint32_t junk = mbox_view_keyword(v, STR("$Junk"), true, NULL);
	ck_assert_uint_ne(junk, 0);
	view_store(v, 5, STORE_ADD, junk);
	view_expunge(v, 6);
	mbox_view_close(&v);
	buf_reset(&wanted);
	home_put("cur/9999.m.h:2,", "From: z@b\n\nx\n");
	ck_assert_int_eq(describe(u, &wanted), MBOX_OK);
	mbox_user_free(&u);
	scoped_buf struct buf cmd = { 0 };
	buf_addf(&cmd, "cp -r '%s/tayori-index' '%s/good-index'", home_path, home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
}

static void good_again(void)
{
	scoped_buf struct buf cmd = { 0 };

	buf_addf(&cmd, "cd '%s' && rm -rf tayori-index && cp -r good-index tayori-index", home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
}

static const char *const ways[] = {
	"true",
	"rm -r tayori-index",
	"rm tayori-index/data.mdb",
	"rm tayori-index/lock.mdb",
	"truncate -s 0 tayori-index/data.mdb",
	"truncate -s 1 tayori-index/data.mdb",
	"truncate -s 4096 tayori-index/data.mdb",
	"truncate -s 8192 tayori-index/data.mdb",
	"truncate -s 40960 tayori-index/data.mdb",
	"truncate -s -1 tayori-index/data.mdb",
	"truncate -s -4096 tayori-index/data.mdb",
	"truncate -s +1M tayori-index/data.mdb",
	"truncate -s 0 tayori-index/lock.mdb",
	"truncate -s 10 tayori-index/lock.mdb",
	"head -c 8192 /dev/urandom > tayori-index/lock.mdb",
	"head -c 100000 /dev/urandom > tayori-index/data.mdb",
	"head -c 100000 /dev/zero > tayori-index/data.mdb",
	"yes no | head -c 100000 > tayori-index/data.mdb",
	"rm -r tayori-index && echo > tayori-index",
	"rm -r tayori-index && ln -s /tmp tayori-index",
	"rm tayori-index/data.mdb && ln -s /etc/passwd tayori-index/data.mdb",
	"rm tayori-index/data.mdb && mkfifo tayori-index/data.mdb",
	"rm tayori-index/data.mdb && mkdir tayori-index/data.mdb",
	"printf '!!!!!!' > tayori-index/opened",
	"rm -r tayori-index && mkdir tayori-index",
};

START_TEST(ways_to_lose_it)
{
	scoped_buf struct buf cmd = { 0 };

	make_all();
	buf_addf(&cmd, "cd '%s' && { %s; }", home_path, ways[_i]);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	expect_the_same(ways[_i]);
	expect_the_same(ways[_i]);
}
END_TEST

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Octets changed here and there, whole pages zeroed or exchanged. */
static void scribble(uint64_t seed)
{
	uint64_t state = seed * 2 + 1;
	scoped_fd int fd = openat(home, "tayori-index/data.mdb", O_RDWR | O_CLOEXEC);
	struct stat st;
	char page[4096];

	ck_assert(fd >= 0 && fstat(fd, &st) == 0);
	uint64_t pages = (uint64_t)st.st_size / sizeof(page);
	for (uint64_t n = 1 + draw(&state) % 40; n > 0; n--) {
		off_t at = (off_t)(draw(&state) % pages * sizeof(page));
		uint64_t how = draw(&state) % 10;
		ck_assert_int_eq(pread(fd, page, sizeof(page), at), sizeof(page));
		if (how == 0)
			memset(page, 0, sizeof(page));
		else
			for (int k = 0; k < 8; k++)
				page[draw(&state) % (how < 4 ? 32 : sizeof(page))] = (char)draw(&state);
		ck_assert_int_eq(
			pwrite(fd, page, sizeof(page), how == 1 ? (off_t)(draw(&state) % pages * sizeof(page)) : at),
			sizeof(page));
	}
}

START_TEST(scribbled)
{
	make_all();
	for (uint64_t seed = 0; seed < 8; seed++) {
		char what[32];
		good_again();
		scribble(seed + 8 * (uint64_t)_i);
		snprintf(what, sizeof(what), "seed %d", (int)seed + 8 * _i);
		expect_the_same(what);
	}
}
END_TEST

/* What mbox_check tells, and that a rebuild mends it. */
static void tell(void *arg, struct str folder, const char *text)
{
	buf_addf(arg, "%.*s: %s\n", STR_ARG(folder), text);
}

/* Rows that fit by themselves, and not the files. */
static int spoil(struct mbox_tx *tx, void *ctx)
{
	struct mbox_index_folder d;
	int code = mbox_row_folder(tx, ctx, &d);

	if (code || (code = mbox_row_change(tx, &d, 3, MBOX_REPLIED)) || (code = mbox_row_remove(tx, &d, 4)))
		return code;
	d.octets++;
	return mbox_row_folder_put(tx, ctx, &d);
}

START_TEST(check_and_rebuild)
{
	scoped_buf struct buf told = { 0 };
	struct mbox_report report = { tell, &told };
	size_t wrong;

	make_all();
	user = mbox_user_new(home);
	ck_assert_int_eq(mbox_check(user, &report, &wrong, NULL), MBOX_OK);
	ck_assert_msg(wrong == 0, "%s", buf_cstr(&told));
	struct mbox_status status;
	ck_assert_int_eq(mbox_status(user, STR(""), &status, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_index_write(&user->index, spoil, status.id), 0);
	ck_assert_int_eq(mbox_check(user, &report, &wrong, NULL), MBOX_OK);
	ck_assert_msg(wrong == 3, "%s", buf_cstr(&told));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&told), "message 3 has other flags"));
	home_put("cur/99999.m.h:2,", "x");
	buf_reset(&told);
	ck_assert_int_eq(mbox_check(user, &report, &wrong, NULL), MBOX_OK);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&told), "INBOX: has changed since"));
	unlinkat(home, "cur/99999.m.h:2,", 0);
	ck_assert_int_eq(mbox_rebuild(user, &report, NULL), MBOX_OK);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&told), "INBOX: 300 messages"));
	scoped_buf struct buf got = { 0 };
	ck_assert_int_eq(describe(user, &got), MBOX_OK);
	ck_assert_str_is(buf_str(&got), buf_str(&wanted));
	mbox_user_free(&user);
}
END_TEST

TEST_MAIN("mbox damage", tcase_add_checked_fixture(tc, home_make, home_remove);
	  tcase_add_loop_test(tc, ways_to_lose_it, 0, COUNT(ways)); tcase_add_loop_test(tc, scribbled, 0, 8);
	  tcase_add_test(tc, check_and_rebuild))
