/* The parts that need no daemon: policy, the table of entries, the text of a bounce. */
#include "base/time.h"
#include "qmgr/bounce.h"
#include "qmgr/decide.h"
#include "qmgr/entries.h"
#include "unit.h"

static const struct qmgr_conf conf = { .message_size_limit = 100000,
				       .minimal_backoff_time = 300000,
				       .maximal_backoff_time = 4000000,
				       .maximal_queue_lifetime = 3600000,
				       .bounce_queue_lifetime = 60000,
				       .defer_transports = { "virtual, relay", 14 } };

START_TEST(backoff)
{
	static const struct {
		uint32_t attempts;
		int64_t ms;
	} rows[] = { { 0, 300000 },  { 1, 300000 },  { 2, 600000 },
		     { 4, 2400000 }, { 5, 4000000 }, { UINT32_MAX, 4000000 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(decide_backoff_ms(rows[i].attempts, &conf), rows[i].ms);
}
END_TEST

START_TEST(transport)
{
	static const struct {
		uint32_t authority;
		const char *transport;
		bool forwarded; /* by an alias of ours */
		int code;
	} rows[] = {
		{ AUTHORITY_MX, "smtp", false, 554 },
		{ 0, "smtp", false, 554 },
		{ AUTHORITY_MX | AUTHORITY_SUBMISSION, "smtp", false, 554 },
		{ AUTHORITY_MX, "relay", false, 0 },
		{ AUTHORITY_MX, "local", false, 0 },
		{ AUTHORITY_SUBMISSION, "smtp", false, 0 },
		{ AUTHORITY_LOCAL, "smtp", false, 0 },
		{ AUTHORITY_SUBMISSION, "pipe", false, 451 },
		{ AUTHORITY_MX, "", false, 451 },
		{ AUTHORITY_MX, "virtual", false, 0 },
		{ AUTHORITY_MX, "Virtual", false, 451 },
		{ AUTHORITY_MX, "smtp", true, 0 },
		{ AUTHORITY_MX, "pipe", true, 451 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(decide_transport(rows[i].authority, str_from(rows[i].transport), rows[i].forwarded).code, rows[i].code);
	ck_assert(decide_deferred(STR("relay"), &conf) && decide_deferred(STR("virtual"), &conf));
	ck_assert(!decide_deferred(STR("local"), &conf) && !decide_deferred(STR(""), &conf));
}
END_TEST

START_TEST(replies)
{
	static const struct {
		uint16_t code;
		const char *status;
		int want;
	} rows[] = {
		{ 550, "5.1.1", 550 }, { 451, "4.3.0", 451 }, { 250, "2.0.0", 451 },   { 550, "4.1.1", 451 },
		{ 550, "", 451 },      { 550, "5.1", 451 },   { 550, "5.1.1.1", 451 }, { 65000, "5.1.1", 451 },
		{ 550, "5.1.x", 451 }, { 0, "0.0.0", 451 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(decide_reply(rows[i].code, str_from(rows[i].status), STR("no")).code, rows[i].want);
}
END_TEST

START_TEST(status)
{
	static const struct {
		enum env_state state;
		const char *given, *want;
	} rows[] = {
		{ ENV_DEFERRED, "4.2.2", "4.2.2" },
		{ ENV_DEFERRED, "5.2.2", "4.0.0" },
		{ ENV_FAILED, "", "5.0.0" },
		{ ENV_FAILED, "5.1.1\nX: y", "5.0.0" },
		{ ENV_DELIVERED, "2.1.5", "2.1.5" },
		{ ENV_FAILED, "55.1.1", "5.0.0" },
		{ ENV_FAILED, "5.000000000000000001.1", "5.0.0" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_str_is(decide_status(rows[i].state, str_from(rows[i].given)), str_from(rows[i].want));
}
END_TEST

START_TEST(lifetimes)
{
	ck_assert(!decide_expired(0, 3600000000, STR("a@b"), &conf));
	ck_assert(decide_expired(0, 3600000001, STR("a@b"), &conf));
	ck_assert(decide_expired(0, 60000001, STR(""), &conf));
	ck_assert(!decide_expired(100, 0, STR(""), &conf));
}
END_TEST

START_TEST(space)
{
	struct queue_space s = { .bytes = 150000, .inodes = 1000 };

	ck_assert_int_eq(decide_room(&s, 0, &conf).code, 0);
	ck_assert_int_eq(decide_room(&s, 1, &conf).code, 452);
	ck_assert_int_eq(decide_room(&s, 100001, &conf).code, 552);
	s.inodes = 3;
	ck_assert_int_eq(decide_room(&s, 0, &conf).code, 452);
}
END_TEST

START_TEST(table_of_entries)
{
	struct entries all = { 0 };
	struct env_recipient rcpt[5] = { { .address = STR("a@One.test") },
					 { .address = STR("b@two.test") },
					 { .address = STR("c@done.test"), .state = ENV_DELIVERED },
					 { .address = STR("d@two.test") },
					 { .address = STR("nowhere") } };
	struct env env = { .recipients = rcpt, .n = 5 };
	struct queue_id at = { 0 }, none = queue_id_make(0, 77777);
	size_t n = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		struct queue_facts f = { .id = queue_id_make(1000 + i * 7919 % 1000, i) };
		struct entry *e = entries_add(&all, &f, &env);
		e->next_try_us = clock_wall_us() + (i % 10) * 1000000 - 1;
		entries_wait(&all, e, 5000);
	}
	ck_assert_ptr_null(entries_find(&all, &none));
	for (struct entry *e; (e = entries_after(&all, &at)); n++) {
		ck_assert(strcmp(at.text, e->id.text) < 0);
		at = e->id;
	}
	ck_assert_uint_eq(n, 1000);
	struct entry *e = entries_due(&all);
	ck_assert_ptr_nonnull(e);
	ck_assert(entry_may_go_to(e, STR("ONE.test")) && entry_may_go_to(e, STR("two.test")));
	ck_assert(!entry_may_go_to(e, STR("done.test")));
	for (n = 0; (e = entries_due(&all)); n++)
		entries_forget(&all, e);
	ck_assert_uint_eq(n, 100);
	/* not longer than was said, whatever the wall clock does */
	clock_shift(5001);
	for (; (e = entries_due(&all)); n++)
		entries_forget(&all, e);
	ck_assert_uint_eq(n, 1000);
	ck_assert_int_eq(entries_next_ms(&all), -1);
	ck_assert_ptr_null(entries_after(&all, &(struct queue_id){ 0 }));
	heap_free(&all.due);
}
END_TEST

static bool has(struct buf *text, const char *what)
{
	return strstr(buf_cstr(text), what) != NULL;
}

START_TEST(bounce_text)
{
	struct env_recipient rcpt[] = {
		{ .address = STR("anna@v.test"),
		  .original = STR("list@v.test"),
		  .state = ENV_FAILED,
		  .status = STR("5.1.1"),
		  .text = STR("no\r\nSuch: user\xff") },
		{ .address = STR("bert@v.test"), .state = ENV_DELIVERED, .status = STR("2.0.0") },
	};
	struct env env = { .sender = STR("from@v.test"), .envid = STR("e1"), .recipients = rcpt, .n = 2 };
	struct bounce b = { .to = STR("from@v.test"),
			    .host = STR("mail.test"),
			    .date = STR("Sun, 22 Nov 2026 05:52:29 +0000"),
			    .arrival_date = STR("Sun, 22 Nov 2026 05:52:00 +0000"),
			    .env = &env,
			    .id = queue_id_make(1, 1),
			    .content = STR("Subject: x\nTo: y\n\nsecret body\n") };
	scoped_buf struct buf text = { 0 };

	env.id = queue_id_make(2, 2);
	ck_assert(bounce_write(&b, &text));
	ck_assert(has(&text, "From: Mail Delivery System <MAILER-DAEMON@mail.test>\nTo: <from@v.test>\n"));
	ck_assert(has(&text, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"));
	ck_assert(has(&text, "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\""));
	ck_assert(has(&text, "Reporting-MTA: dns; mail.test\nOriginal-Envelope-Id: e1\n"));
	ck_assert(has(&text, "\n\nOriginal-Recipient: rfc822; list@v.test\nFinal-Recipient: rfc822; anna@v.test\n"
			     "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: X-Tayori; no??Such: user?\n"));
	ck_assert(has(&text, "Subject: x\nTo: y\n"));
	ck_assert(!has(&text, "bert") && !has(&text, "secret"));
	/* each line is one that mail may have */
	struct str rest = buf_str(&text);
	while (rest.n > 0)
		ck_assert_uint_lt(str_cut(&rest, '\n').n, 998);
	ck_assert(!memchr(text.p, '\r', text.n));
}
END_TEST

START_TEST(bounce_is_bounded)
{
	static char many[200000];
	struct env_recipient rcpt = { .address = STR("a@v.test"), .state = ENV_FAILED, .status = STR("5.0.0") };
	struct env env = { .sender = STR("f@v.test"), .recipients = &rcpt, .n = 1 };
	static const char *const lines[] = { "A: b\n", "x", "\n", "A: \xe4\n" };

	for (size_t i = 0; i < COUNT(lines); i++) {
		scoped_buf struct buf text = { 0 };
		size_t n = strlen(lines[i]);
		for (size_t at = 0; at + n <= sizeof(many); at += n)
			memcpy(many + at, lines[i], n);
		struct bounce b = { .host = STR("h"), .env = &env, .content = str_of(many, sizeof(many)) };
		ck_assert(bounce_write(&b, &text));
		ck_assert_uint_lt(text.n, BOUNCE_HEADERS_MAX + 2000);
	}
}
END_TEST

TEST_MAIN("qmgr's parts", tcase_add_test(tc, backoff); tcase_add_test(tc, transport); tcase_add_test(tc, replies);
	  tcase_add_test(tc, status); tcase_add_test(tc, lifetimes); tcase_add_test(tc, space);
	  tcase_add_test(tc, table_of_entries); tcase_add_test(tc, bounce_text); tcase_add_test(tc, bounce_is_bounded);)
