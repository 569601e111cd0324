/* The daemon itself: questions of smtpd and qmgr, tables that change under it, reload. */
#include <unistd.h>

#include "harness/harness.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "unit.h"

struct suite {
	struct harness h;
	struct arena arena;
	const char *folder;
	int mx, submission, qmgr;
};

static void begin(struct suite *s)
{
	*s = (struct suite){ 0 };
	s->folder = harness_mkdir(&s->arena);
	harness_write(s->folder, "users", STR("alice@virt.example:x\nbob@virt.example:y\n"));
	harness_write(s->folder, "virtual", STR("info@virt.example alice@virt.example, bob@virt.example\n"));
	harness_begin(&s->h, "lookupd");
	harness_set(&s->h, "myhostname", "mx.example.com");
	harness_set(&s->h, "myorigin", "mx.example.com");
	harness_set(&s->h, "recipient_delimiter", "+");
	harness_set(&s->h, "virtual_mailbox_domains", "virt.example");
	harness_set(&s->h, "virtual_mailbox_maps", arena_printf(&s->arena, "passwd-file:%s/users", s->folder));
	harness_set(&s->h, "virtual_alias_maps", arena_printf(&s->arena, "texthash:%s/virtual", s->folder));
	s->mx = harness_client(&s->h, "smtpd", "smtp", AUTHORITY_MX);
	s->submission = harness_client(&s->h, "smtpd", "submission", AUTHORITY_SUBMISSION);
	s->qmgr = harness_client(&s->h, "qmgr", "qmgr", 0);
}

static void end(struct suite *s)
{
	ck_assert_int_eq(harness_end(&s->h), 0);
	close(s->mx);
	close(s->submission);
	close(s->qmgr);
	harness_rmdir(s->folder);
	arena_free(&s->arena);
}

static int recipient(int channel, const char *login, const char *address)
{
	scoped_buf struct buf frame = { 0 };
	struct check_recipient q = { .client = STR("192.0.2.9"),
				     .login = str_from(login),
				     .recipient = str_from(address) };
	struct verdict v = { 0 };

	ck_assert(frame_call(channel, &check_recipient_schema, &q, &verdict_schema, 10000, &frame, &v));
	ck_assert_int_eq(v.status.p[0], '0' + v.code / 100);
	return v.code;
}

static int sender(int channel, const char *login, const char *address)
{
	scoped_buf struct buf frame = { 0 };
	struct check_sender q = { .login = str_from(login), .sender = str_from(address) };
	struct verdict v = { 0 };

	ck_assert(frame_call(channel, &check_sender_schema, &q, &verdict_schema, 10000, &frame, &v));
	return v.code;
}

/* The number of routes, or the code when it is none. */
static int route(int channel, uint32_t authority, const char *address)
{
	scoped_buf struct buf frame = { 0 }, raw = { 0 };
	struct route q = { .authority = authority };
	struct route_answer a = { 0 };

	strs_add(&raw, &q.recipients, str_from(address));
	ck_assert(frame_call(channel, &route_schema, &q, &route_answer_schema, 10000, &frame, &a));
	return a.code == 250 ? (int)(a.routes.n / ROUTE_PARTS) : a.code;
}

START_TEST(questions)
{
	struct suite s;

	begin(&s);
	ck_assert(harness_run(&s.h));
	ck_assert_int_eq(recipient(s.mx, "alice@virt.example", "x@other.example"), 554);
	ck_assert_int_eq(recipient(s.submission, "", "x@other.example"), 554);
	ck_assert_int_eq(recipient(s.submission, "alice@virt.example", "x@other.example"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "nobody@virt.example"), 550);
	ck_assert_int_eq(recipient(s.mx, "", "Alice+x@virt.example"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "info@virt.example"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "root@mx.example.com"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "no-such-account@mx.example.com"), 550);
	ck_assert_int_eq(sender(s.submission, "alice@virt.example", "bob@virt.example"), 553);
	ck_assert_int_eq(sender(s.submission, "alice@virt.example", "alice@virt.example"), 250);
	ck_assert_int_eq(route(s.qmgr, AUTHORITY_MX, "x@other.example"), 554);
	ck_assert_int_eq(route(s.qmgr, AUTHORITY_SUBMISSION, "x@other.example"), 1);
	ck_assert_int_eq(route(s.qmgr, AUTHORITY_MX, "info@virt.example"), 2);
	end(&s);
}
END_TEST

/* What restrictions ask: of any other table nothing is told. */
START_TEST(restrictions)
{
	struct suite s;
	scoped_buf struct buf frame = { 0 };
	struct access_answer a = { 0 };
	struct verdict v = { 0 };
	struct check_access q = { .table = STR("inline:{ {x.test=REJECT} }"), .kind = 1, .name = STR("a.x.test") };
	struct check_address about = { .what = 1, .address = STR("x@other.example") };

	begin(&s);
	harness_set(&s.h, "smtpd_access_tables", "inline:{ {x.test=REJECT} }, fail:why");
	ck_assert(harness_run(&s.h));
	ck_assert(frame_call(s.mx, &check_access_schema, &q, &access_answer_schema, 10000, &frame, &a));
	ck_assert_int_eq(a.result, ACCESS_ROW);
	ck_assert_str_is(a.value, STR("REJECT"));
	q.name = STR("y.test");
	ck_assert(frame_call(s.mx, &check_access_schema, &q, &access_answer_schema, 10000, &frame, &a));
	ck_assert_int_eq(a.result, ACCESS_NO_ROW);
	q.table = STR("fail:why");
	ck_assert(frame_call(s.mx, &check_access_schema, &q, &access_answer_schema, 10000, &frame, &a));
	ck_assert_int_eq(a.result, ACCESS_TROUBLE);
	ck_assert(frame_call(s.mx, &check_address_schema, &about, &verdict_schema, 10000, &frame, &v));
	ck_assert_int_eq(v.code, 554);
	ck_assert_str_is(v.text, STR("<x@other.example>: Relay access denied"));
	about.address = STR("nobody@virt.example");
	ck_assert(frame_call(s.mx, &check_address_schema, &about, &verdict_schema, 10000, &frame, &v));
	ck_assert_int_eq(v.code, 250);
	about.what = 2;
	ck_assert(frame_call(s.mx, &check_address_schema, &about, &verdict_schema, 10000, &frame, &v));
	ck_assert_int_eq(v.code, 550);
	q.table = str_from(arena_printf(&s.arena, "passwd-file:%s/users", s.folder));
	q.kind = 3;
	q.address = STR("alice@virt.example");
	ck_assert(frame_call(s.mx, &check_access_schema, &q, &access_answer_schema, 10000, &frame, &a));
	ck_assert(a.result == ACCESS_TROUBLE && a.value.n == 0);
	ck_assert(harness_logged(&s.h, "/users, which no restriction names: refused", 5000));
	q.kind = 9;
	ck_assert(!frame_call(s.mx, &check_access_schema, &q, &access_answer_schema, 10000, &frame, &a));
	ck_assert(harness_logged(&s.h, "a malformed question to a table", 5000));
	ck_assert_int_eq(recipient(s.submission, "", "alice@virt.example"), 250);
	end(&s);
}
END_TEST

START_TEST(changing_tables)
{
	struct suite s;

	begin(&s);
	ck_assert(harness_run(&s.h));
	ck_assert_int_eq(recipient(s.mx, "", "carol@virt.example"), 550);

	/* half-written: the old one stays, and it is told once */
	harness_write(s.folder, "users", STR("carol@virt.example:x\ndave@virt"));
	harness_shift(&s.h, 1500);
	ck_assert_int_eq(recipient(s.mx, "", "carol@virt.example"), 550);
	ck_assert_int_eq(recipient(s.mx, "", "alice@virt.example"), 250);
	ck_assert(harness_logged(&s.h, "half-written?; the version of before stays in use", 5000));

	harness_write(s.folder, "users", STR("carol@virt.example:x\ndave@virt.example:y\n"));
	harness_shift(&s.h, 3000);
	ck_assert_int_eq(recipient(s.mx, "", "carol@virt.example"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "alice@virt.example"), 550);
	end(&s);
}
END_TEST

START_TEST(missing_table)
{
	struct suite s;

	begin(&s);
	harness_set(&s.h, "virtual_alias_maps", arena_printf(&s.arena, "texthash:%s/later", s.folder));
	ck_assert(harness_run(&s.h));
	ck_assert(harness_logged(&s.h, "later: cannot be opened: No such file or directory", HARNESS_PATIENCE_MS));
	ck_assert_int_eq(recipient(s.mx, "", "alice@virt.example"), 451);
	ck_assert_int_eq(route(s.qmgr, AUTHORITY_MX, "alice@virt.example"), 451);
	harness_write(s.folder, "later", STR(""));
	harness_shift(&s.h, 6000);
	ck_assert_int_eq(recipient(s.mx, "", "alice@virt.example"), 250);
	end(&s);
}
END_TEST

START_TEST(reloading)
{
	struct suite s;

	begin(&s);
	harness_set(&s.h, "local_recipient_maps", "inline:{ {hank=x} }");
	ck_assert(harness_run(&s.h));
	ck_assert_int_eq(recipient(s.mx, "", "x@relay.example"), 554);
	ck_assert_int_eq(recipient(s.mx, "", "hank@mx.example.com"), 250);
	harness_set(&s.h, "relay_domains", "relay.example");
	harness_set(&s.h, "local_recipient_maps", "inline:{ {vera=x} }");
	ck_assert(harness_reload(&s.h));
	ck_assert_int_eq(recipient(s.mx, "", "x@relay.example"), 250);
	ck_assert_int_eq(recipient(s.mx, "", "hank@mx.example.com"), 550);
	end(&s);
}
END_TEST

/* With accounts of the host a fresh process is needed: this one ends in order. */
START_TEST(reloading_accounts)
{
	struct suite s;

	begin(&s);
	ck_assert(harness_run(&s.h));
	ck_assert(harness_reload(&s.h));
	ck_assert(harness_logged(&s.h, "reads the accounts of this host anew", HARNESS_PATIENCE_MS));
	end(&s);
}
END_TEST

TEST_MAIN("lookupd", {
	tcase_add_test(tc, questions);
	tcase_add_test(tc, restrictions);
	tcase_add_test(tc, changing_tables);
	tcase_add_test(tc, missing_table);
	tcase_add_test(tc, reloading);
	tcase_add_test(tc, reloading_accounts);
})
