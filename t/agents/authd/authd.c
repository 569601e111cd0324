#include "unit.h"

#include <crypt.h>
#include <unistd.h>

#include "agents/authd/penalty.h"
#include "agents/authd/users.h"
#include "base/random.h"
#include "harness/harness.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

static const struct {
	const char *name, *domain, *want; /* NULL: nobody's */
} names[] = {
	{ "", "x.test", NULL },		  { "@x.test", "", NULL },	   { "a@", "", NULL },
	{ "../a", "x.test", NULL },	  { ".a@x.test", "", NULL },	   { "a@.x", "", NULL },
	{ "a/b@x.test", "", NULL },	  { "a:b@x.test", "", NULL },	   { "a b@x.test", "", NULL },
	{ "a\x01@x.test", "", NULL },	  { "a\x7f@x.test", "", NULL },	   { "\xff@x.test", "", NULL },
	{ "Alice", "X.test", "alice@x.test" }, { "a@b@C.test", "", "a@b@c.test" }, { "root", "", "root" },
	{ "a+b@x.test", "", "a+b@x.test" },
};

START_TEST(name_cases)
{
	scoped_buf struct buf out = { 0 };
	bool ok = users_canonical(str_from(names[_i].name), str_from(names[_i].domain), &out);

	ck_assert_int_eq(ok, names[_i].want != NULL);
	if (ok)
		ck_assert_str_is(buf_str(&out), str_from(names[_i].want));
}
END_TEST

START_TEST(long_name)
{
	scoped_buf struct buf name = { 0 }, out = { 0 };

	for (int i = 0; i < 300; i++)
		buf_addc(&name, 'a');
	ck_assert(!users_canonical(buf_str(&name), STR("x.test"), &out));
}
END_TEST

START_TEST(file)
{
	struct users u = { 0 };

	users_read(&u, STR("# comment\n\nno colon\nalice:{SHA512-CRYPT}$6$x$y:::: /home/x :\n:nobody\n"
			   "Bob@Y.test:$2b$10$z\ncarol:{SSHA}zzz\nalice2:{PLAIN}x\n"),
		   STR("x.test"));
	ck_assert_uint_eq(u.bad_lines, 2);
	ck_assert_uint_eq(u.first_bad, 3);
	ck_assert_str_is(users_find(&u, STR("alice@x.test"))->hash, STR("$6$x$y"));
	ck_assert_str_is(users_find(&u, STR("bob@y.test"))->hash, STR("$2b$10$z"));
	ck_assert_uint_eq(users_find(&u, STR("carol@x.test"))->hash.n, 0);
	ck_assert_uint_eq(users_find(&u, STR("alice2@x.test"))->hash.n, 0);
	ck_assert_ptr_null(users_find(&u, STR("nobody@x.test")));
	users_read(&u, STR(""), STR("x.test"));
	ck_assert_ptr_null(users_find(&u, STR("alice@x.test")));
	users_free(&u);
}
END_TEST

static int64_t refused(struct penalties *p, const char *address, uint64_t what, int64_t now)
{
	return penalty_add(p, str_from(address), what, now, 2000, 15000);
}

START_TEST(penalties)
{
	struct penalties p = { 0 };

	ck_assert_int_eq(refused(&p, "192.0.2.1", 1, 0), 2000);
	ck_assert_int_eq(refused(&p, "192.0.2.1", 1, 10), 2000); /* the same wrong password: a device with an old one */
	ck_assert_int_eq(refused(&p, "192.0.2.1", 2, 20), 4000);
	ck_assert_int_eq(refused(&p, "192.0.2.1", 3, 30), 8000);
	ck_assert_int_eq(refused(&p, "192.0.2.1", 4, 40), 15000);
	ck_assert_int_eq(refused(&p, "192.0.2.2", 4, 40), 2000);
	ck_assert_int_eq(refused(&p, "192.0.2.1", 5, 40 + PENALTY_FORGET_MS + 1), 2000);
	ck_assert_int_eq(refused(&p, "2001:db8::1", 1, 0), 2000);
	ck_assert_int_eq(refused(&p, "2001:db8::ffff:1", 2, 0), 4000); /* the same /64 */
	for (uint64_t i = 0; i < 25000; i++) {
		char address[32];
		snprintf(address, sizeof(address), "10.%d.%d.%d", (int)(i >> 16 & 255), (int)(i >> 8 & 255), (int)(i & 255));
		refused(&p, address, i, 50);
	}
	ck_assert_uint_le(p.by_network.n, PENALTY_ENTRIES_MAX);
	penalty_free(&p);
}
END_TEST

/* ---- the daemon ---- */

static struct harness h;
static const char *folder;
static struct arena place;
static int smtpd, pop3d, local, spawner;

static void add_user(struct buf *text, const char *name, const char *password, const char *prefix, unsigned long cost)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));

	ck_assert_ptr_nonnull(crypt_gensalt_rn(prefix, cost, NULL, 0, setting, sizeof(setting)));
	buf_addf(text, "%s:%s\n", name, crypt_rn(password, setting, data, sizeof(*data)));
	free(data);
}

static void setup(void)
{
	scoped_buf struct buf users = { 0 };
	static const char *const prefixes[] = { "$y$", "$7$", "$2b$", "$6$", "$5$", "$1$", "" };
	char name[32];

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		snprintf(name, sizeof(name), "u%zu@x.test", i);
		add_user(&users, name, "pass word", prefixes[i], strcmp(prefixes[i], "$2b$") == 0 ? 4 : 0);
	}
	add_user(&users, "deep@x.test", "p", "$1$", 0);
	folder = harness_mkdir(&place);
	harness_write(folder, "users", buf_str(&users));
	harness_begin(&h, "authd");
	harness_set(&h, "passwd_file", arena_printf(&place, "%s/users", folder));
	harness_set(&h, "virtual_mailbox_base", folder);
	harness_set(&h, "auth_default_domain", "x.test");
	smtpd = harness_client(&h, "smtpd", "submission", AUTHORITY_SUBMISSION);
	pop3d = harness_client(&h, "pop3d", "pop3", 0);
	local = harness_client(&h, "local", "local", 0);
	spawner = harness_server(&h, "pop3session");
	ck_assert(harness_run(&h));
}

static void teardown(void)
{
	close(smtpd);
	close(pop3d);
	close(local);
	close(spawner);
	ck_assert_int_eq(harness_end(&h), 0);
	harness_rmdir(folder);
	arena_free(&place);
}

static struct login_answer login_from(const char *client, int fd, const char *user, const char *password, struct buf *frame)
{
	struct login m = { str_from(client), STR("smtp"), str_from(user), str_from(password) };
	struct login_answer a = { 0 };

	ck_assert(frame_call(fd, &login_schema, &m, &login_answer_schema, HARNESS_PATIENCE_MS, frame, &a));
	return a;
}

static struct login_answer login(int fd, const char *user, const char *password, struct buf *frame)
{
	return login_from("192.0.2.1", fd, user, password, frame);
}

START_TEST(every_scheme)
{
	scoped_buf struct buf frame = { 0 };
	char name[32];

	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "U%d", i);
		struct login_answer a = login(smtpd, name, "pass word", &frame);
		ck_assert_msg(a.result == LOGIN_OK, "%s", name);
		snprintf(name, sizeof(name), "u%d@x.test", i);
		ck_assert_str_is(a.user, str_from(name));
		ck_assert_int_eq(login(smtpd, name, "mass word", &frame).result, LOGIN_REFUSED);
	}
}
END_TEST

START_TEST(refusals)
{
	scoped_buf struct buf frame = { 0 };
	static const char *const bad[] = { "nobody@x.test", "../../etc/passwd", "", "root", "u0@y.test", "u0@x.test\n" };

	ck_assert_int_eq(login(smtpd, "u0", "wrong", &frame).delay_ms, 2000);
	ck_assert_int_eq(login(pop3d, "u0", "other", &frame).delay_ms, 4000); /* one memory for all protocols */
	ck_assert_int_eq(login(smtpd, "u0", "pass word", &frame).delay_ms, 0);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(login(smtpd, bad[i], "pass word", &frame).result, LOGIN_REFUSED);
}
END_TEST

/* A guesser is not heard any more, by whatever protocol it comes; others are, and this host always is. */
START_TEST(guessers_are_barred)
{
	static const char *const from[] = { "2001:db8:0:1::1", "2001:db8:0:1::ffff", "127.0.0.1" };
	scoped_buf struct buf frame = { 0 };
	char word[32];

	harness_set(&h, "auth_failure_limit", "6");
	ck_assert(harness_reload(&h));
	for (int i = 0; i < 10; i++) /* an old password in a telephone */
		ck_assert_int_eq(login_from(from[0], smtpd, "u0", "old", &frame).result, LOGIN_REFUSED);
	for (int i = 0; i < 7; i++) {
		snprintf(word, sizeof(word), "guess %d", i);
		ck_assert_int_eq(login_from(from[i % 2], i % 3 ? smtpd : pop3d, "u0", word, &frame).result, i < 5 ? LOGIN_REFUSED : LOGIN_LATER);
		ck_assert_int_eq(login_from(from[2], smtpd, "u0", word, &frame).result, LOGIN_REFUSED);
	}
	ck_assert(harness_logged(&h, "warning: 2001:db8:0:1:", HARNESS_PATIENCE_MS));
	ck_assert_int_eq(login_from(from[1], smtpd, "u0", "pass word", &frame).result, LOGIN_LATER);
	ck_assert_int_eq(login_from(from[2], smtpd, "u0", "pass word", &frame).result, LOGIN_OK);
	ck_assert_int_eq(login_from("2001:db8:0:2::1", smtpd, "u0", "pass word", &frame).result, LOGIN_OK);
	harness_shift(&h, PENALTY_FORGET_MS + 1000);
	ck_assert_int_eq(login_from(from[1], smtpd, "u0", "pass word", &frame).result, LOGIN_OK);
}
END_TEST

START_TEST(tickets)
{
	scoped_buf struct buf frame = { 0 }, asked = { 0 };
	struct login m = { STR("192.0.2.1"), STR("pop3"), STR("u5"), STR("pass word") };
	struct frame_head head;
	struct str payload;
	struct grant g;
	struct login_answer a;
	int fds[IPC_FDS_MAX];
	size_t n;
	char ticket[64];

	ck_assert_int_eq(frame_send(pop3d, &login_schema, false, 9, &m), 0);
	/* the spawner hears who it is before the front may use the ticket */
	ck_assert_int_eq(frame_receive(spawner, &asked, &head, &payload, fds, &n), 1);
	ck_assert(head.type == grant_schema.type && ipc_decode(&grant_schema, payload, fds, n, &g));
	ck_assert_str_is(g.user, STR("u5@x.test"));
	ck_assert_uint_eq(g.uid, geteuid());
	ck_assert(g.virtual_user && g.ticket.n == 32 && str_ends(g.home, STR("/x.test/u5")));
	snprintf(ticket, sizeof(ticket), "%.*s", STR_ARG(g.ticket));
	ck_assert_int_eq(frame_send(spawner, &granted_schema, true, head.serial, &(struct granted){ true }), 0);
	ck_assert_int_eq(frame_receive(pop3d, &frame, &head, &payload, fds, &n), 1);
	ck_assert(head.type == login_answer_schema.type && ipc_decode(&login_answer_schema, payload, fds, n, &a));
	ck_assert(head.serial == 9 && a.result == LOGIN_OK);
	ck_assert_str_is(a.ticket, str_from(ticket));
}
END_TEST

static uint8_t find(const char *user, struct buf *frame, struct mailbox *m)
{
	struct mailbox_find q = { str_from(user) };

	ck_assert(frame_call(local, &mailbox_find_schema, &q, &mailbox_schema, 10000, frame, m));
	return m->result;
}

START_TEST(finding_and_changes)
{
	scoped_buf struct buf frame = { 0 }, users = { 0 };
	struct mailbox m;

	ck_assert_int_eq(find("deep@x.test", &frame, &m), LOGIN_OK);
	ck_assert(str_ends(m.home, STR("/x.test/deep")));
	ck_assert_int_eq(find("late@x.test", &frame, &m), LOGIN_REFUSED);
	add_user(&users, "late@x.test", "q", "$1$", 0);
	scoped_buf struct buf half = { 0 };
	buf_add(&half, str_head(buf_str(&users), users.n - 1)); /* being written: not taken */
	harness_write(folder, "users", buf_str(&half));
	ck_assert_int_eq(find("late@x.test", &frame, &m), LOGIN_REFUSED);
	ck_assert_int_eq(find("deep@x.test", &frame, &m), LOGIN_OK);
	harness_write(folder, "users", buf_str(&users));
	ck_assert_int_eq(find("late@x.test", &frame, &m), LOGIN_OK);
	ck_assert_int_eq(find("deep@x.test", &frame, &m), LOGIN_REFUSED);
	ck_assert_int_eq(login(smtpd, "late", "q", &frame).result, LOGIN_OK);
}
END_TEST

START_TEST(not_its_business)
{
	scoped_buf struct buf frame = { 0 };
	struct mailbox m;

	/* a service may not ask for mailboxes; its channel breaks, the others live */
	struct mailbox_find q = { STR("u0@x.test") };
	ck_assert(!frame_call(smtpd, &mailbox_find_schema, &q, &mailbox_schema, 2000, &frame, &m));
	ck_assert_int_eq(find("u0@x.test", &frame, &m), LOGIN_OK);
	ck_assert(harness_logged(&h, "sent what it may not", HARNESS_PATIENCE_MS));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("authd");
	TCase *pure = tcase_create("pure"), *daemon = tcase_create("daemon");

	tcase_add_loop_test(pure, name_cases, 0, COUNT(names));
	tcase_add_test(pure, long_name);
	tcase_add_test(pure, file);
	tcase_add_test(pure, penalties);
	tcase_add_checked_fixture(daemon, setup, teardown);
	tcase_set_timeout(daemon, 120);
	tcase_add_test(daemon, every_scheme);
	tcase_add_test(daemon, refusals);
	tcase_add_test(daemon, guessers_are_barred);
	tcase_add_test(daemon, tickets);
	tcase_add_test(daemon, finding_and_changes);
	tcase_add_test(daemon, not_its_business);
	suite_add_tcase(s, pure);
	suite_add_tcase(s, daemon);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
