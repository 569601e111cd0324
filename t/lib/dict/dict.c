/* Tables: bad texts first, then every type, then files that are replaced, cut, half-written and swapped under load. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/time.h"
#include "dict/dict.h"
#include "dict/user.h"
#include "io/fd.h"
#include "unit.h"

static char folder[64];
static int dir = -1;

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tayori-dict.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void teardown(void)
{
	char command[128];

	fd_close(&dir);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* In place, dated `age_s` ago: a file of this second is not taken yet. */
static void write_aged(const char *name, struct str text, int age_s)
{
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct timespec times[2];

	ck_assert(fd >= 0 && fd_write_all(fd, text) == 0);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	ck_assert_int_eq(futimens(fd, times), 0);
}

static void write_file(const char *name, const char *text)
{
	static int age = 1000000;

	write_aged(name, str_from(text), age--);
}

static struct dict *open_spec(const char *spec, const char *file, struct err *err)
{
	return dict_open(str_from(spec), file ? dir : -1, file, STR("default.example"), err);
}

static const char *get(struct dict *d, const char *key)
{
	static struct buf value;
	struct err err = { 0 };

	switch (dict_get(d, str_from(key), &value, &err)) {
	case DICT_FOUND: return buf_cstr(&value);
	case DICT_MISSING: return "(missing)";
	default: return "(error)";
	}
}

/* ---- specifications ---- */

#define KNOWN "cidr, fail, inline, lmdb, passwd-file, pcre, randmap, regexp, static, texthash, unix"

static const struct {
	const char *spec, *file, *err;
} bad_specs[] = {
	{ "", NULL, "'' is no type of table: known are " KNOWN },
	{ "hash:/a", NULL, "'hash' is no type of table: known are " KNOWN },
	{ "/etc/virtual", NULL, "'/etc/virtual' is no type of table: known are " KNOWN },
	{ "texthash:", NULL, "texthash:: write the absolute path of a file; its folder must exist at start" },
	{ "texthash:x", "", "texthash:x: write the absolute path of a file; its folder must exist at start" },
	{ "texthash:/t/none", "none", "texthash:/t/none: cannot be opened: No such file or directory" },
	{ "texthash:/t/.", ".", "texthash:/t/.: is no regular file" },
	{ "lmdb:/t/none", "none", "lmdb:/t/none: none.lmdb cannot be opened: No such file or directory" },
	{ "static:", NULL, "static:: write static:value" },
	{ "inline:", NULL, "inline:: write inline:{ {key=value}, ... }" },
	{ "inline:{ a }", NULL, "inline:{ a }: 'a' is not key=value" },
	{ "fail:", NULL, "fail:: write fail:name" },
	{ "randmap:", NULL, "randmap:: write randmap:{ value, ... }" },
	{ "randmap:{ }", NULL, "randmap:{ }: write randmap:{ value, ... }" },
	{ "randmap:a", NULL, "randmap:a: write randmap:{ value, ... }" },
	{ "unix:", NULL, "unix:: known are unix:passwd.byname and unix:group.byname" },
	{ "unix:shadow.byname", NULL, "unix:shadow.byname: known are unix:passwd.byname and unix:group.byname" },
	{ "pcre:", NULL, "pcre:: write the absolute path of a file; its folder must exist at start" },
	{ "pcre:/t/none", "none", "pcre:/t/none: cannot be opened: No such file or directory" },
	{ "cidr:/t/none", "none", "cidr:/t/none: cannot be opened: No such file or directory" },
	{ "inline:{ {=b} }", NULL, "inline:{ {=b} }: '{=b}' is not key=value" },
	{ "inline:{ a=b, A=c }", NULL, "inline:{ a=b, A=c }: key 'a' stands there twice" },
};

START_TEST(spec_refused)
{
	struct err err = { 0 };

	ck_assert_ptr_null(open_spec(bad_specs[_i].spec, bad_specs[_i].file, &err));
	ck_assert_str_eq(err.text, bad_specs[_i].err);
}
END_TEST

static const struct {
	const char *spec, *key, *value;
} simple[] = {
	{ "static:all", "", "all" },
	{ "static:{ a b }", "x", "a b" },
	{ "inline:{ {a=b c}, D=e, f= }", "a", "b c" },
	{ "inline:{ {a=b c}, D=e, f= }", "d", "e" },
	{ "inline:{ {a=b c}, D=e, f= }", "f", "" },
	{ "inline:{ {a=b c}, D=e, f= }", "", "(missing)" },
	{ "inline:{ { x = y=z } }", "X", "y=z" },
	{ "inline:{}", "x", "(missing)" },
	{ "fail:why", "x", "(error)" },
	{ "randmap:{ {a b} }", "x", "a b" },
	{ "unix:passwd.byname", "no-such-account", "(missing)" },
};

START_TEST(accounts)
{
	struct dict *people = open_spec("unix:passwd.byname", NULL, NULL);
	struct dict *groups = open_spec("unix:group.byname", NULL, NULL);

	ck_assert_int_eq(strncmp(get(people, "ROOT"), "root:x:0:0:", 11), 0);
	ck_assert_int_eq(strncmp(get(groups, "root"), "root:x:0:", 9), 0);
	dict_close(people);
	dict_close(groups);
}
END_TEST

/* Both of two values come, sooner or later: that one of them never does in 500 turns is left to 2^-499. */
START_TEST(by_chance)
{
	struct dict *d = open_spec("randmap:{ a, b }", NULL, NULL);
	bool seen[2] = { false, false };

	for (int i = 0; i < 500; i++)
		seen[*get(d, "x") - 'a'] = true;
	ck_assert(seen[0] && seen[1]);
	ck_assert(!dict_is_pattern(d) && !dict_has_file(STR("randmap:{ a, b }")) && dict_has_file(STR("pcre:/x")));
	dict_close(d);
}
END_TEST

START_TEST(simple_types)
{
	struct dict *d = open_spec(simple[_i].spec, NULL, NULL);

	ck_assert_ptr_nonnull(d);
	ck_assert_str_eq(get(d, simple[_i].key), simple[_i].value);
	ck_assert_int_eq(dict_changed(d, 5000, NULL), DICT_SAME);
	dict_close(d);
}
END_TEST

/* ---- text ---- */

static const struct {
	const char *text, *key, *value, *warning;
} texts[] = {
	{ "a b", "a", NULL, "texthash:/t/t: its last line does not end: half-written?" },
	{ "a b\nc", "a", NULL, "texthash:/t/t: its last line does not end: half-written?" },
	{ "alone\na b\n", "a", "b", "line 1: has no value: write key, blank, value" },
	{ " early\na b\n", "a", "b", "line 1: begins with a blank but continues no line" },
	{ "a \xff\n", "a", "(missing)", "line 1: is not UTF-8 text" },
	{ "a b\na c\nA d\n", "a", "b", "line 2: duplicate key (and 1 more)" },
	{ "\"a\n", "\"a", "(missing)", "line 1: has no value: write key, blank, value" },
	{ "a\\\n", "a\\", "(missing)", "line 1: has no value: write key, blank, value" },
	{ "", "a", "(missing)", "" },
	{ "\n\n  \n# x y\n  # z\n", "#", "(missing)", "" },
	{ "a b\n", "A", "b", "" },
	{ "Key@Example.COM\t Value, Two \n", "key@example.com", "Value, Two", "" },
	{ "a b,\n  c,\n# comment\n\n\td\ne f\n", "a", "b,  c,\td", "" },
	{ "a b,\n  c,\n# comment\n\n\td\ne f\n", "e", "f", "" },
	{ "a b\r\nc d\r\n", "a", "b", "" },
	{ "\"john smith\"@x y\n", "\"john smith\"@x", "y", "" },
	{ "\"a\\\" b\"@x y\n", "\"a\\\" b\"@x", "y", "" },
	{ "root: admin, ops\n", "root", "admin, ops", "" },
	{ "root : admin\n", "root", "admin", "" },
	{ "list :include:/x\n", "list", ":include:/x", "" },
	{ "a:b c\n", "a:b", "c", "" },
	{ "\xc3\xbc@x y\n", "\xc3\xbc@x", "y", "" },
};

START_TEST(text_cases)
{
	struct err err = { 0 };

	write_file("t", texts[_i].text);
	struct dict *d = open_spec("texthash:/t/t", "t", &err);
	if (!texts[_i].value) {
		ck_assert_ptr_null(d);
		ck_assert_str_eq(err.text, texts[_i].warning);
		return;
	}
	ck_assert_msg(d != NULL, "%s", err.text);
	ck_assert_str_eq(get(d, texts[_i].key), texts[_i].value);
	ck_assert_str_eq(dict_warning(d), texts[_i].warning);
	dict_close(d);
}
END_TEST

/* NUL, and the limits of a line and of the whole. */
START_TEST(text_limits)
{
	scoped_buf struct buf text = { 0 };
	struct err err = { 0 };

	write_aged("t", str_of("a b\0c\nd e\n", 10), 100);
	struct dict *d = open_spec("texthash:/t/t", "t", NULL);
	ck_assert_str_eq(get(d, "a"), "(missing)");
	ck_assert_str_eq(get(d, "d"), "e");
	dict_close(d);

	for (int over = 0; over < 2; over++) {
		buf_reset(&text);
		buf_add(&text, STR("a "));
		while (text.n < DICT_LINE_MAX + (size_t)over)
			buf_addc(&text, 'x');
		buf_add(&text, STR("\nb c\n"));
		write_aged("t", buf_str(&text), 90 + over);
		d = open_spec("texthash:/t/t", "t", NULL);
		ck_assert_uint_eq(strlen(get(d, "a")), over ? 9u : DICT_LINE_MAX - 2u);
		ck_assert_str_eq(dict_warning(d), over ? "line 1: longer than 64 KiB" : "");
		ck_assert_str_eq(get(d, "b"), "c");
		dict_close(d);
	}
	scoped_fd int fd = openat(dir, "t", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (64 << 20) + 1), 0);
	ck_assert_ptr_null(open_spec("texthash:/t/t", "t", &err));
	ck_assert_str_eq(err.text, "texthash:/t/t: larger than 64 MiB");
}
END_TEST

static const struct {
	const char *key, *value;
} users[] = {
	{ "alice@example.com", "alice@example.com" },
	{ "ALICE@Example.Com", "alice@example.com" },
	{ "bob@default.example", "bob@default.example" },
	{ "bob", "(missing)" },
	{ "carol@example.com", "(missing)" },
	{ "../x@example.com", "(missing)" },
	{ "", "(missing)" },
};

START_TEST(passwd_file)
{
	write_file(
		"users",
		"# users\nAlice@EXAMPLE.com:{SHA512-CRYPT}$6$x:1:2::/home/a\n\nbob:x\n../x@example.com:y\nnocolon\n");
	struct dict *d = open_spec("passwd-file:/t/users", "users", NULL);

	ck_assert_str_eq(get(d, users[_i].key), users[_i].value);
	ck_assert_str_eq(dict_warning(d), "line 5: is no user (and 1 more)");
	dict_close(d);
}
END_TEST

static const struct {
	const char *name, *domain, *canonical;
} names[] = {
	{ "", "", NULL },	{ "@", "", NULL },	  { "a@", "", NULL },	 { "@b", "", NULL },
	{ ".a@b", "", NULL },	{ "a@.b", "", NULL },	  { "a/b@c", "", NULL }, { "a@b/../c", "", NULL },
	{ "a b@c", "", NULL },	{ "a:b", "", NULL },	  { "a\n@b", "", NULL }, { "a\x7f", "", NULL },
	{ "\xff@b", "", NULL }, { "a", "x/y", NULL },	  { "A", "", "a" },	 { "A", "D", "a@d" },
	{ "A@B", "D", "a@b" },	{ "a@b@c", "", "a@b@c" },
};

START_TEST(user_names)
{
	scoped_buf struct buf out = { 0 };
	bool ok = user_canonical(str_from(names[_i].name), str_from(names[_i].domain), &out);

	ck_assert_int_eq(ok, names[_i].canonical != NULL);
	if (ok)
		ck_assert_str_eq(buf_cstr(&out), names[_i].canonical);
}
END_TEST

/* ---- new versions ---- */

START_TEST(replaced_text)
{
	struct err err = { 0 };
	int64_t now = 10000;

	write_file("t", "a 1\n");
	struct dict *d = open_spec("texthash:/t/t", "t", NULL);
	ck_assert_int_eq(dict_changed(d, now, &err), DICT_SAME);
	write_file("t", "a 2\n");
	ck_assert_int_eq(dict_changed(d, now + 999, &err), DICT_SAME); /* looked at once a second */
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_NEW);
	ck_assert_str_eq(get(d, "a"), "2");

	/* a rename */
	write_file("n", "a 3\n");
	ck_assert_int_eq(renameat(dir, "n", dir, "t"), 0);
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_NEW);
	ck_assert_str_eq(get(d, "a"), "3");

	/* half-written: told once, the old one stays */
	write_file("t", "a 4\nb");
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_STALE);
	ck_assert_str_eq(
		err.text,
		"texthash:/t/t: its last line does not end: half-written?; the version of before stays in use");
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_SAME);
	ck_assert_str_eq(get(d, "a"), "3");
	write_file("t", "a 4\nb 5\n");
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_NEW);
	ck_assert_str_eq(get(d, "b"), "5");

	/* gone, and back */
	ck_assert_int_eq(unlinkat(dir, "t", 0), 0);
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_STALE);
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_SAME);
	ck_assert_str_eq(get(d, "b"), "5");
	write_file("t", "b 6\n");
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_NEW);
	ck_assert_str_eq(get(d, "b"), "6");

	/* a folder in its place */
	ck_assert_int_eq(unlinkat(dir, "t", 0), 0);
	ck_assert_int_eq(mkdirat(dir, "t", 0700), 0);
	clock_shift(5000);
	ck_assert_int_eq(dict_changed(d, now += 1000, &err), DICT_STALE);
	ck_assert_str_eq(get(d, "b"), "6");
	dict_close(d);
}
END_TEST

/* Written in this second: empty for a moment, or cut at a line's end by chance. */
START_TEST(fresh_text)
{
	write_file("t", "a 1\n");
	struct dict *d = open_spec("texthash:/t/t", "t", NULL);

	write_aged("t", STR(""), 0);
	ck_assert_int_eq(dict_changed(d, 1000, NULL), DICT_SAME);
	ck_assert_str_eq(get(d, "a"), "1");
	clock_shift(1500);
	ck_assert_int_eq(dict_changed(d, 2500, NULL), DICT_NEW);
	ck_assert_str_eq(get(d, "a"), "(missing)");
	dict_close(d);
}
END_TEST

struct swapper {
	int dir;
	bool stop;
};

/* Good versions by rename; broken ones and gaps between. */
static void *swap(void *arg)
{
	struct swapper *s = arg;
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };

	for (int i = 0; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++) {
		scoped_buf struct buf text = { 0 };
		for (int row = 0; row < 200; row++)
			buf_addf(&text, "key%d %d\n", row, i);
		if (i % 3 == 1)
			text.n -= 5;
		scoped_fd int fd = openat(s->dir, "next", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		fd_write_all(fd, buf_str(&text));
		old[0].tv_sec = old[1].tv_sec = 1000 + i;
		futimens(fd, old);
		if (i % 7 == 6)
			unlinkat(s->dir, "t", 0);
		renameat(s->dir, "next", s->dir, "t");
	}
	return NULL;
}

START_TEST(swapped_under_load)
{
	struct swapper s = { .dir = dir };
	pthread_t thread;
	int news = 0;
	scoped_buf struct buf first = { 0 };

	write_file("t", "key0 0\nkey199 0\n");
	struct dict *d = open_spec("texthash:/t/t", "t", NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, swap, &s), 0);
	for (int64_t now = 1000; news < 50; now += 1000) {
		news += dict_changed(d, now, NULL) == DICT_NEW;
		buf_reset(&first);
		buf_addf(&first, "%s", get(d, "key0"));
		ck_assert_str_ne(buf_cstr(&first), "(missing)");
		ck_assert_str_eq(get(d, "key199"), buf_cstr(&first));
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	dict_close(d);
}
END_TEST

/* ---- LMDB ---- */

struct warnings {
	size_t n, line;
	char text[200];
};

static void take_warning(void *arg, size_t line, const char *text)
{
	struct warnings *w = arg;

	if (w->n++ == 0) {
		w->line = line;
		snprintf(w->text, sizeof(w->text), "%s", text);
	}
}

static bool add_row(void *arg, struct str key, struct str value)
{
	struct buf *b = arg;

	return buf_addf(b, "%.*s=%.*s;", STR_ARG(key), STR_ARG(value));
}

START_TEST(compiled)
{
	struct warnings w = { 0 };
	struct err err = { 0 };
	scoped_buf struct buf rows = { 0 };
	struct str text = STR("b 2\nA 1\nbad\na 3\nc: 4\n");
	struct stat st;

	ck_assert(!dict_compile(dir, "m", STR("a b"), take_warning, &w, &err));
	ck_assert_str_eq(err.text, "m: its last line does not end: half-written?");
	ck_assert_int_ne(fstatat(dir, "m.lmdb", &st, 0), 0);

	write_file("m", "");
	ck_assert_int_eq(fchmodat(dir, "m", 0640, 0), 0);
	ck_assert_msg(dict_compile(dir, "m", text, take_warning, &w, &err), "%s", err.text);
	ck_assert_uint_eq(w.n, 2);
	ck_assert_uint_eq(w.line, 3);
	ck_assert_int_eq(fstatat(dir, "m.lmdb", &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	ck_assert_int_ne(fstatat(dir, ".m.lmdb.new", &st, 0), 0);

	struct dict *d = open_spec("lmdb:/t/m", "m", &err);
	ck_assert_msg(d != NULL, "%s", err.text);
	ck_assert_str_eq(get(d, "a"), "1");
	ck_assert_str_eq(get(d, "B"), "2");
	ck_assert_str_eq(get(d, "c"), "4");
	ck_assert_str_eq(get(d, "bad"), "(missing)");
	ck_assert_str_eq(get(d, ""), "(missing)");
	ck_assert(dict_each(d, add_row, &rows, &err));
	ck_assert_str_eq(buf_cstr(&rows), "a=1;b=2;c=4;");

	/* replaced while it is open */
	ck_assert(dict_compile(dir, "m", STR("a 9\n"), NULL, NULL, &err));
	ck_assert_str_eq(get(d, "a"), "1");
	ck_assert_int_eq(dict_changed(d, 5000, &err), DICT_NEW);
	ck_assert_str_eq(get(d, "a"), "9");
	ck_assert_str_eq(get(d, "b"), "(missing)");
	dict_close(d);
}
END_TEST

START_TEST(lmdb_sizes)
{
	scoped_buf struct buf text = { 0 };
	struct warnings w = { 0 };
	char key[600];
	struct err err = { 0 };

	memset(key, 'k', sizeof(key));
	key[512] = '\0';
	buf_addf(&text, "%s long\n", key);
	key[511] = '\0';
	buf_addf(&text, "%s fits\n", key);
	for (int i = 0; i < 50000; i++)
		buf_addf(&text, "u%d %d\n", i * 7919 % 50000, i);
	ck_assert_msg(dict_compile(dir, "m", buf_str(&text), take_warning, &w, &err), "%s", err.text);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_str_eq(w.text, "its key is longer than 511 octets");
	struct dict *d = open_spec("lmdb:/t/m.lmdb", "m.lmdb", &err);
	ck_assert_msg(d != NULL, "%s", err.text);
	ck_assert_str_eq(get(d, key), "fits");
	ck_assert_str_eq(get(d, "u7919"), "1");
	key[511] = 'k';
	ck_assert_str_eq(get(d, key), "(missing)");
	dict_close(d);
}
END_TEST

/* A damaged file is refused, and never replaces a good one. */
START_TEST(lmdb_damaged)
{
	struct err err = { 0 };
	scoped_buf struct buf text = { 0 }, bytes = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "key%d value\n", i);
	ck_assert(dict_compile(dir, "m", buf_str(&text), NULL, NULL, &err));
	scoped_fd int fd = openat(dir, "m.lmdb", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fd_read_rest(fd, &bytes), 0);
	struct dict *good = open_spec("lmdb:/t/m", "m", &err);
	int64_t now = 0;
	size_t cuts[] = { 0, 10, 4096, 8192, bytes.n - 4096, bytes.n - 1 };
	for (size_t i = 0; i < COUNT(cuts); i++) {
		write_aged("x", str_head(buf_str(&bytes), cuts[i]), 100);
		ck_assert_int_eq(renameat(dir, "x", dir, "m.lmdb"), 0);
		ck_assert_ptr_null(open_spec("lmdb:/t/m", "m", &err));
		ck_assert_int_eq(dict_changed(good, now += 1000, &err), DICT_STALE);
		ck_assert_str_eq(get(good, "key999"), "value");
	}
	memset(bytes.p, 'x', 4096);
	memset(bytes.p + 4096, 'x', 4096);
	write_aged("x", buf_str(&bytes), 100);
	ck_assert_int_eq(renameat(dir, "x", dir, "m.lmdb"), 0);
	ck_assert_int_eq(dict_changed(good, now += 1000, &err), DICT_STALE);
	ck_assert_str_eq(get(good, "key0"), "value");
	dict_close(good);
}
END_TEST

/* Two compilers at a time: whichever ends last wins whole. */
START_TEST(compilers_collide)
{
	struct err err = { 0 };
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] > 0)
			continue;
		for (int round = 0; round < 5; round++) {
			scoped_buf struct buf text = { 0 };
			for (int row = 0; row < 300; row++)
				buf_addf(&text, "k%d %d\n", row, i);
			if (!dict_compile(dir, "m", buf_str(&text), NULL, NULL, NULL))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		int status;
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	struct dict *d = open_spec("lmdb:/t/m", "m", &err);
	scoped_buf struct buf first = { 0 };
	buf_addf(&first, "%s", get(d, "k0"));
	ck_assert_str_eq(get(d, "k299"), buf_cstr(&first));
	dict_close(d);
}
END_TEST

TEST_MAIN("dict", {
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, spec_refused, 0, COUNT(bad_specs));
	tcase_add_loop_test(tc, simple_types, 0, COUNT(simple));
	tcase_add_test(tc, accounts);
	tcase_add_test(tc, by_chance);
	tcase_add_loop_test(tc, text_cases, 0, COUNT(texts));
	tcase_add_test(tc, text_limits);
	tcase_add_loop_test(tc, passwd_file, 0, COUNT(users));
	tcase_add_loop_test(tc, user_names, 0, COUNT(names));
	tcase_add_test(tc, replaced_text);
	tcase_add_test(tc, fresh_text);
	tcase_add_test(tc, swapped_under_load);
	tcase_add_test(tc, compiled);
	tcase_add_test(tc, lmdb_sizes);
	tcase_add_test(tc, lmdb_damaged);
	tcase_add_test(tc, compilers_collide);
})
