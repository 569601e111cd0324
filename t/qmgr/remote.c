/* Mail to other hosts: recipients of one next hop together, windows, the memory of dead ones, what the sender is told. */
#include <unistd.h>

#include "io/fd.h"
#include "qmgr/bed/bed.h"

static void begin(struct bed *b, const char *const settings[])
{
	bed_make(b);
	b->authority = AUTHORITY_SUBMISSION;
	bed_run(b, settings);
}

static void finish(struct bed *b)
{
	bed_stop(b, false);
	bed_free(b);
}

START_TEST(nonsense_is_not_believed)
{
	struct bed b;
	struct transfer t;

	begin(&b, NULL);
	bed_accept(&b, "a@far.test b@far.test");
	uint32_t serial = bed_transfer(&b, &t);
	bed_transfer_as(&b, serial, 1, true, "2", "2.0.0", "one result for two");
	ck_assert(harness_logged(&b.h, "ended without a result", HARNESS_PATIENCE_MS));
	/* tried again soon, not bounced and not done */
	harness_shift(&b.h, 2000);
	serial = bed_transfer(&b, &t);
	bed_transfer_as(&b, serial, 2, true, "9", "x", "what is that");
	ck_assert(harness_logged(&b.h, "status=deferred", HARNESS_PATIENCE_MS));
	ck_assert_uint_eq(bed_files(&b, "env"), 1);
	finish(&b);
}
END_TEST

START_TEST(one_next_hop_one_transfer)
{
	struct bed b;
	struct transfer t;

	begin(&b, (const char *const[]){ "default_destination_recipient_limit", "2", NULL });
	bed_accept(&b, "a@far.test x@one.out.test b@far.test c@far.test y@one.out.test");
	size_t seen[3] = { 0 };
	for (int i = 0; i < 3; i++) {
		uint32_t serial = bed_transfer(&b, &t);
		ck_assert_str_is(t.transport, STR("smtp"));
		ck_assert(str_eq(t.nexthop, STR("far.test")) || str_eq(t.nexthop, STR("one.out.test")));
		ck_assert(t.recipients.n <= 2);
		seen[t.recipients.n]++;
		bed_transfer_as(&b, serial, t.recipients.n, true, "2", "2.0.0", "ok");
	}
	ck_assert(seen[1] == 1 && seen[2] == 2);
	bed_await_files(&b, 0);
	ck_assert(harness_logged(&b.h, "relay=mx.far.test[192.0.2.25]:25", HARNESS_PATIENCE_MS));
	finish(&b);
}
END_TEST

START_TEST(window_grows_and_shrinks)
{
	struct bed b;
	struct transfer t;
	uint32_t serials[16];

	begin(&b, (const char *const[]){ "initial_destination_concurrency", "2", "default_destination_concurrency_limit", "3", NULL });
	for (int i = 0; i < 12; i++)
		bed_accept(&b, "a@far.test");
	bed_accept(&b, "a@one.out.test");
	int far = 0;
	for (int i = 0; i < 3; i++) {
		serials[i] = bed_transfer(&b, &t);
		far += str_eq(t.nexthop, STR("far.test"));
	}
	ck_assert_int_eq(far, 2); /* and the other next hop does not wait for them */
	ck_assert(bed_silent(b.smtp, 100));
	for (int i = 0; i < 3; i++)
		bed_transfer_as(&b, serials[i], 1, true, "2", "2.0.0", "ok");
	for (int i = 0; i < 3; i++)
		serials[i] = bed_transfer(&b, &t);
	ck_assert(bed_silent(b.smtp, 100)); /* three at most */
	/* nobody there, three times in a row: dead, and nothing more is tried */
	for (int i = 0; i < 3; i++)
		bed_transfer_as(&b, serials[i], 1, false, "4", "4.4.1", "connect to mx.far.test[192.0.2.25]:25: Connection refused");
	ck_assert(harness_logged(&b.h, "does not answer: its mail waits", HARNESS_PATIENCE_MS));
	ck_assert(harness_logged(&b.h, "delivery temporarily suspended: connect to", HARNESS_PATIENCE_MS));
	ck_assert(bed_silent(b.smtp, 200));
	bed_accept(&b, "late@far.test");
	ck_assert(bed_silent(b.smtp, 200));
	ck_assert(harness_logged(&b.h, "to=<late@far.test>", HARNESS_PATIENCE_MS));
	/* and tried again as at first */
	harness_shift(&b.h, 310000);
	for (int i = 0; i < 2; i++)
		serials[i] = bed_transfer(&b, &t);
	ck_assert(bed_silent(b.smtp, 200));
	for (int i = 0; i < 2; i++)
		bed_transfer_as(&b, serials[i], 1, true, "2", "2.0.0", "ok");
	finish(&b);
}
END_TEST

/* The next message that the queue makes itself: its content. */
static void take_report(struct bed *b, const char *to, struct buf *text)
{
	struct deliver d;

	bed_route(b);
	uint32_t serial = bed_take(b, b->local, &deliver_schema, &d);
	ck_assert_str_is(d.recipient, str_from(to));
	ck_assert_str_is(d.sender, STR(""));
	buf_reset(text);
	ck_assert_int_eq(fd_read_rest(d.content, text), 0);
	close(d.content);
	bed_deliver_as(b, serial, DELIVERY_DONE, "2.0.0", "ok");
}

static void holds(struct buf *text, const char *what)
{
	ck_assert_msg(strstr(buf_cstr(text), what) != NULL, "no '%s' in:\n%s", what, buf_cstr(text));
}

START_TEST(failed_is_told)
{
	struct bed b;
	struct transfer t;
	scoped_buf struct buf text = { 0 };

	begin(&b, NULL);
	bed_accept(&b, "a@far.test");
	uint32_t serial = bed_transfer(&b, &t);
	bed_transfer_as(&b, serial, 1, true, "5", "5.1.1", "host mx.far.test[192.0.2.25] said: 550 5.1.1 no such user (in reply to RCPT TO command)");
	take_report(&b, "from@v.test", &text);
	holds(&text, "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.far.test\nDiagnostic-Code: smtp; 550 5.1.1 no such user");
	holds(&text, "Content-Type: message/rfc822");
	holds(&text, "Subject: x\n\nbody\n");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(late_is_told_once)
{
	struct bed b;
	struct transfer t;
	scoped_buf struct buf text = { 0 };

	begin(&b, (const char *const[]){ "delay_warning_time", "1h", "bounce_size_limit", "0", NULL });
	bed_accept(&b, "a@far.test");
	bed_transfer_as(&b, bed_transfer(&b, &t), 1, true, "4", "4.2.1", "later");
	ck_assert(harness_logged(&b.h, "status=deferred", HARNESS_PATIENCE_MS));
	harness_shift(&b.h, 3700000);
	bed_transfer_as(&b, bed_transfer(&b, &t), 1, true, "4", "4.2.1", "later still");
	take_report(&b, "from@v.test", &text);
	holds(&text, "Subject: Delayed Mail");
	holds(&text, "Action: delayed\nStatus: 4.2.1\n");
	holds(&text, "Will-Retry-Until: ");
	holds(&text, "Content-Type: text/rfc822-headers");
	bed_await_files(&b, 1);
	/* not again, after a restart neither */
	bed_stop(&b, true);
	bed_run(&b, (const char *const[]){ "delay_warning_time", "1h", NULL });
	harness_shift(&b.h, 4400000);
	bed_transfer_as(&b, bed_transfer(&b, &t), 1, true, "4", "4.2.1", "later");
	ck_assert(bed_silent(b.lookupd, 300));
	finish(&b);
}
END_TEST

START_TEST(no_bounce_of_a_bounce)
{
	struct bed b;
	struct transfer t;
	struct commit m;
	scoped_buf struct buf text = { 0 };

	for (int tell = 0; tell < 2; tell++) {
		begin(&b, (const char *const[]){ "notify_classes", tell ? "2bounce" : "resource", NULL });
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, "a@far.test", &m);
		m.sender = STR("");
		bed_send(&b, &m);
		bed_route(&b);
		ck_assert_int_eq(bed_code(&b), 250);
		bed_transfer_as(&b, bed_transfer(&b, &t), 1, true, "5", "5.1.1", "no");
		if (tell) {
			struct route r;
			uint32_t serial = bed_take(&b, b.lookupd, &route_schema, &r);
			scoped_buf struct buf raw = { 0 };
			struct route_answer a = { .code = 250, .status = STR("2.0.0"), .text = STR("ok") };
			static const char *const parts[] = { "postmaster@far.test", "postmaster", "smtp", "far.test", "", "" };
			for (size_t i = 0; i < ROUTE_PARTS; i++)
				strs_add(&raw, &a.routes, str_from(parts[i]));
			frame_send(b.lookupd, &route_answer_schema, true, serial, &a);
			/* and that one, undeliverable too, is the end of it */
			bed_transfer_as(&b, bed_transfer(&b, &t), 1, true, "5", "5.1.1", "no");
		}
		ck_assert(harness_logged(&b.h, "undeliverable mail without a sender dropped", HARNESS_PATIENCE_MS));
		bed_await_files(&b, 0);
		finish(&b);
	}
}
END_TEST

/* What one host has is on disk before another one is waited for: a crash does not send it again. */
START_TEST(progress_is_kept)
{
	struct bed b;
	struct transfer t;

	begin(&b, NULL);
	struct queue_id id = bed_accept(&b, "a@one.out.test b@two.out.test");
	uint32_t first = bed_transfer(&b, &t);
	bool one = str_eq(t.nexthop, STR("one.out.test"));
	bed_transfer(&b, &t);
	off_t before = bed_env_bytes(&b, &id);
	bed_transfer_as(&b, first, 1, true, "2", "2.0.0", "ok");
	ck_assert(harness_logged(&b.h, "status=sent", HARNESS_PATIENCE_MS));
	bed_await_progress(&b, &id, before);
	bed_stop(&b, true);
	bed_run(&b, NULL);
	bed_transfer(&b, &t);
	ck_assert_str_is(t.nexthop, one ? STR("two.out.test") : STR("one.out.test"));
	ck_assert(bed_silent(b.smtp, 200));
	finish(&b);
}
END_TEST

TEST_MAIN("remote", tcase_add_test(tc, nonsense_is_not_believed); tcase_add_test(tc, one_next_hop_one_transfer);
	  tcase_add_test(tc, window_grows_and_shrinks); tcase_add_test(tc, failed_is_told); tcase_add_test(tc, late_is_told_once);
	  tcase_add_test(tc, no_bounce_of_a_bounce); tcase_add_test(tc, progress_is_kept))
