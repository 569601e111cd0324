/* What becomes of an entry: delivered, deferred, given up, returned; and after crashes. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "io/fd.h"
#include "qmgr/bed/bed.h"

enum { MINUTES = 60 * 1000 };

static void finish(struct bed *b)
{
	bed_stop(b, false);
	bed_free(b);
}

static void deliver_one(struct bed *b, const char *user, bool again)
{
	struct deliver d;
	uint32_t serial = bed_delivery(b, &d);

	ck_assert_str_is(d.user, str_from(user));
	ck_assert_int_eq(d.again, again);
	bed_deliver_as(b, serial, DELIVERY_DONE, "2.0.0", "ok");
}

START_TEST(local_dies)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, NULL);
	bed_accept(&b, "anna@v.test");
	bed_delivery(&b, &d);
	ck_assert(!d.again);
	close(b.local);
	b.local = harness_server(&b.h, "local");
	ck_assert(harness_logged(&b.h, "ended without a result", HARNESS_PATIENCE_MS));
	ck_assert(bed_silent(b.local, 300));
	deliver_one(&b, "anna", true);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(deferred_and_retried)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "minimal_backoff_time", "5m", "maximal_backoff_time", "15m", NULL });
	bed_accept(&b, "anna@v.test");
	static const int64_t waits[] = { 5, 10, 15, 15 };
	for (size_t i = 0; i < COUNT(waits); i++) {
		uint32_t serial = bed_delivery(&b, &d);
		ck_assert(!d.again);
		bed_deliver_as(&b, serial, DELIVERY_DEFERRED, "4.2.2", "mailbox full");
		ck_assert(harness_logged(&b.h, "dsn=4.2.2, status=deferred (mailbox full)", HARNESS_PATIENCE_MS));
		bed_rest(&b);
		harness_shift(&b.h, waits[i] * MINUTES - 10000);
		ck_assert(bed_silent(b.local, 100));
		harness_shift(&b.h, 11000);
	}
	deliver_one(&b, "anna", false);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(some_recipients)
{
	struct bed b;
	struct deliver d[3];
	uint32_t serial[3];

	bed_make(&b);
	bed_run(&b, NULL);
	bed_accept(&b, "anna@v.test bert@v.test carl@v.test");
	for (int i = 0; i < 3; i++) {
		serial[i] = bed_delivery(&b, &d[i]);
		ck_assert_uint_eq(d[i].number, (uint32_t)i);
	}
	bed_deliver_as(&b, serial[0], DELIVERY_DONE, "2.0.0", "ok");
	bed_deliver_as(&b, serial[1], DELIVERY_DEFERRED, "4.2.2", "full");
	bed_deliver_as(&b, serial[2], DELIVERY_DONE, "2.0.0", "ok");
	bed_rest(&b);
	/* what was delivered is on disk: only bert is left after a crash */
	bed_stop(&b, true);
	bed_run(&b, NULL);
	ck_assert(bed_silent(b.local, 100));
	harness_shift(&b.h, 6 * MINUTES);
	deliver_one(&b, "bert", true);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(many_recipients)
{
	struct bed b;
	struct deliver d;
	scoped_buf struct buf to = { 0 };

	for (int i = 0; i < 300; i++)
		buf_addf(&to, "%suser%d@v.test", i ? " " : "", i);
	bed_make(&b);
	bed_run(&b, (const char *const[]){ "qmgr_delivery_limit", "10", NULL });
	bed_accept(&b, buf_cstr(&to));
	for (int i = 0; i < 300; i += 10) {
		uint32_t serials[10];
		for (int k = 0; k < 10; k++)
			serials[k] = bed_delivery(&b, &d);
		ck_assert(i > 0 || bed_silent(b.local, 100));
		for (int k = 0; k < 10; k++)
			bed_deliver_as(&b, serials[k], DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(restart)
{
	struct bed b;

	bed_make(&b);
	bed_run(&b, NULL);
	bed_accept(&b, "anna@v.test");
	bed_accept(&b, "bert@v.test");
	bed_stop(&b, true);
	bed_run(&b, NULL);
	struct deliver d;
	for (int i = 0; i < 2; i++) {
		uint32_t serial = bed_delivery(&b, &d);
		ck_assert(d.again);
		bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

/* The bounce on its way to from@v.test. */
static void take_bounce(struct bed *b, const char *says)
{
	struct deliver d;
	scoped_buf struct buf text = { 0 };

	bed_route(b);
	uint32_t serial = bed_take(b, b->local, &deliver_schema, &d);
	ck_assert_str_is(d.user, STR("from"));
	ck_assert_str_is(d.sender, STR(""));
	ck_assert_int_eq(fd_read_rest(d.content, &text), 0);
	close(d.content);
	ck_assert_msg(strstr(buf_cstr(&text), says), "%s", buf_cstr(&text));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&text), "Subject: x"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&text), "Content-Type: message/rfc822\n\nSubject: x\n\nbody\n")); /* it is small */
	/* that one fails too: nobody is told */
	bed_deliver_as(b, serial, DELIVERY_FAILED, "5.1.1", "nobody");
	ck_assert(harness_logged(&b->h, "without a sender dropped", HARNESS_PATIENCE_MS));
}

START_TEST(failed_is_returned)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, NULL);
	bed_accept(&b, "anna@v.test");
	bed_deliver_as(&b, bed_delivery(&b, &d), DELIVERY_FAILED, "5.2.0", "no such place\r\nEvil: yes");
	take_bounce(&b, "Status: 5.2.0\n");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(bounce_waits_for_lookupd)
{
	struct bed b;
	struct deliver d;
	struct route r;

	bed_make(&b);
	bed_run(&b, NULL);
	bed_accept(&b, "anna@v.test");
	bed_deliver_as(&b, bed_delivery(&b, &d), DELIVERY_FAILED, "5.2.0", "no");
	uint32_t serial = bed_take(&b, b.lookupd, &route_schema, &r);
	ck_assert_uint_eq(r.authority, AUTHORITY_LOCAL);
	struct route_answer later = { .code = 451, .status = STR("4.3.0"), .text = STR("not now") };
	frame_send(b.lookupd, &route_answer_schema, true, serial, &later);
	ck_assert(harness_logged(&b.h, "cannot be told now", HARNESS_PATIENCE_MS));
	bed_rest(&b);
	bed_stop(&b, true);
	bed_run(&b, NULL);
	harness_shift(&b.h, 6 * MINUTES);
	take_bounce(&b, "Status: 5.2.0\n");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(given_up)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "maximal_queue_lifetime", "1h", NULL });
	bed_accept(&b, "anna@v.test");
	bed_deliver_as(&b, bed_delivery(&b, &d), DELIVERY_DEFERRED, "4.2.2", "full");
	ck_assert(harness_logged(&b.h, "status=deferred", HARNESS_PATIENCE_MS));
	bed_rest(&b);
	harness_shift(&b.h, 61 * MINUTES);
	bed_deliver_as(&b, bed_delivery(&b, &d), DELIVERY_DEFERRED, "4.2.2", "full");
	ck_assert(harness_logged(&b.h, "status=expired, returned to sender", HARNESS_PATIENCE_MS));
	take_bounce(&b, "delivery time expired: full");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(damaged_is_kept)
{
	struct bed b;
	char path[300];

	bed_make(&b);
	bed_run(&b, NULL);
	struct queue_id id = bed_accept(&b, "anna@v.test");
	bed_accept(&b, "bert@v.test");
	bed_stop(&b, true);
	snprintf(path, sizeof(path), "%s/env/%s", b.queue, id.text);
	scoped_fd int fd = open(path, O_RDWR);
	ck_assert_int_eq(pwrite(fd, "!", 1, 30), 1);
	bed_run(&b, NULL);
	ck_assert(harness_logged(&b.h, "damaged, kept and not delivered", HARNESS_PATIENCE_MS));
	deliver_one(&b, "bert", true);
	bed_await_files(&b, 1);
	finish(&b);
}
END_TEST

/* A queue without room: its own file system of 256 KiB. */
START_TEST(full_disk)
{
	struct bed b;
	struct commit m;
	static char big[50000]; /* four of them leave some room, but not for a fifth */

	if (geteuid() != 0)
		return;
	memset(big, '\n', sizeof(big));
	bed_make(&b);
	if (mount("none", b.queue, "tmpfs", 0, "size=256k,mode=0700") < 0) {
		bed_free(&b);
		return;
	}
	bed_run(&b, (const char *const[]){ "local_destination_concurrency_limit", "1", "queue_minfree", "1", NULL });
	uint16_t code = 250;
	size_t n = 0;
	for (; n < 10 && code == 250; n++) {
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, "anna@v.test", &m);
		m.body = str_of(big, sizeof(big));
		m.size = m.head.n + m.body.n;
		bed_send(&b, &m);
		bed_route(&b);
		code = bed_code(&b);
	}
	ck_assert_uint_eq(code, 452);
	ck_assert_uint_eq(bed_files(&b, "env"), n - 1);
	deliver_one(&b, "anna", false);
	bed_await_files(&b, n - 2);
	bed_accept(&b, "bert@v.test");
	struct deliver d;
	for (size_t i = 0; i < n - 1; i++)
		bed_deliver_as(&b, bed_delivery(&b, &d), DELIVERY_DONE, "2.0.0", "ok");
	bed_await_files(&b, 0);
	bed_stop(&b, false);
	umount(b.queue);
	bed_free(&b);
}
END_TEST

START_TEST(drain_ends_in_order)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "local_destination_concurrency_limit", "1", NULL });
	bed_accept(&b, "anna@v.test bert@v.test");
	bed_accept(&b, "anna@v.test");
	uint32_t one = bed_delivery(&b, &d), two = bed_delivery(&b, &d);
	frame_send(b.h.control, &drain_schema, false, 0, &(struct drain){ .most_ms = 20000 });
	usleep(50000);
	bed_deliver_as(&b, one, DELIVERY_DONE, "2.0.0", "ok");
	bed_deliver_as(&b, two, DELIVERY_DEFERRED, "4.2.2", "full");
	bed_stop(&b, false);
	ck_assert_uint_eq(bed_files(&b, "env"), 2);
	bed_run(&b, NULL);
	/* the first message's anna has it, and bert is deferred; the second message goes out */
	ck_assert_uint_eq(bed_files(&b, "env"), 2);
	for (int i = 0; i < 2; i++) {
		uint32_t serial = bed_delivery(&b, &d);
		bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(deferred_transport)
{
	struct bed b;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "defer_transports", "virtual", NULL });
	bed_accept(&b, "anna@v.test");
	ck_assert(harness_logged(&b.h, "deferred transport", HARNESS_PATIENCE_MS));
	bed_rest(&b);
	harness_set(&b.h, "defer_transports", "");
	ck_assert(harness_reload(&b.h));
	ck_assert(bed_silent(b.local, 50));
	ck_assert(bed_act(&b, "flush", "ALL").ok);
	deliver_one(&b, "anna", false);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

TEST_MAIN("deliver", tcase_add_test(tc, local_dies); tcase_add_test(tc, deferred_and_retried);
	  tcase_add_test(tc, some_recipients); tcase_add_test(tc, many_recipients); tcase_add_test(tc, restart);
	  tcase_add_test(tc, failed_is_returned); tcase_add_test(tc, bounce_waits_for_lookupd);
	  tcase_add_test(tc, given_up); tcase_add_test(tc, damaged_is_kept); tcase_add_test(tc, full_disk);
	  tcase_add_test(tc, drain_ends_in_order); tcase_add_test(tc, deferred_transport);)
