/* What a client may commit, and what is on disk when it is told so. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "qmgr/bed/bed.h"

/* What is still to be delivered is, so that the drain need not wait. */
static void finish(struct bed *b)
{
	struct deliver d;

	while (!bed_silent(b->local, 50))
		bed_deliver_as(b, bed_delivery(b, &d), DELIVERY_DONE, "2.0.0", "ok");
	bed_stop(b, false);
	bed_free(b);
}

START_TEST(on_disk_before_the_answer)
{
	struct bed b;
	struct commit m;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, NULL);
	struct queue_id id = bed_id(&b);
	bed_commit(&b, &id, "anna@v.test", &m);
	bed_send(&b, &m);
	ck_assert(bed_silent(b.smtpd, 100));
	bed_route(&b);
	ck_assert_int_eq(bed_code(&b), 250);
	ck_assert_uint_eq(bed_files(&b, "new"), 1);
	ck_assert_uint_eq(bed_files(&b, "env"), 1);
	uint32_t serial = bed_delivery(&b, &d);
	ck_assert_str_is(d.user, STR("anna"));
	ck_assert_str_is(d.recipient, STR("anna@v.test"));
	ck_assert(!d.again && d.number == 0 && d.size == m.size);
	bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "delivered to maildir");
	bed_await_files(&b, 0);
	ck_assert(harness_logged(&b.h, ": removed", HARNESS_PATIENCE_MS));
	ck_assert_uint_eq(bed_files(&b, "new") + bed_files(&b, "cur"), 0);
	finish(&b);
}
END_TEST

START_TEST(fifty_at_a_time)
{
	struct bed b;
	struct commit m;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, NULL);
	for (int i = 0; i < 50; i++) {
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, "anna@v.test", &m);
		bed_send(&b, &m);
	}
	for (int i = 0; i < 50; i++)
		bed_route(&b);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(bed_code(&b), 250);
	ck_assert_uint_eq(bed_files(&b, "env"), 50);
	/* one mailbox has two deliveries at a time */
	for (int i = 0; i < 25; i++) {
		uint32_t one = bed_delivery(&b, &d), two = bed_delivery(&b, &d);
		if (i == 0)
			ck_assert(bed_silent(b.local, 50));
		bed_deliver_as(&b, one, DELIVERY_DONE, "2.0.0", "ok");
		bed_deliver_as(&b, two, DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

/* A commit that is refused without a question to lookupd. */
static uint16_t code_of(struct bed *b, const struct commit *m)
{
	bed_send(b, m);
	return bed_code(b);
}

START_TEST(refused)
{
	static const struct {
		const char *to, *sender, *body;
		size_t size_more;
		uint16_t code;
	} rows[] = {
		{ "", "a@v.test", "x\n", 0, 451 },	  { "anna@v.test", "a\n@v.test", "x\n", 0, 451 },
		{ "an\x01na@v.test", "", "x\n", 0, 451 }, { "anna@v.test", "", "x\r\n", 0, 550 },
		{ "anna@v.test", "", "x\n", 1, 451 },	  { "anna@v.test", "", "x\n", 1u << 30, 552 },
	};
	struct bed b;
	struct commit m;

	bed_make(&b);
	bed_run(&b, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, rows[i].to, &m);
		m.sender = str_from(rows[i].sender);
		m.body = str_from(rows[i].body);
		m.size = m.head.n + m.body.n + rows[i].size_more;
		ck_assert_uint_eq(code_of(&b, &m), rows[i].code);
	}
	/* foreign, malformed, and used ids */
	struct queue_id foreign = queue_id_make(1, 1);
	bed_commit(&b, &foreign, "anna@v.test", &m);
	ck_assert_uint_eq(code_of(&b, &m), 451);
	m.queue_id = STR("../../etc");
	ck_assert_uint_eq(code_of(&b, &m), 451);
	struct queue_id used = bed_accept(&b, "anna@v.test");
	bed_commit(&b, &used, "anna@v.test", &m);
	ck_assert_uint_eq(code_of(&b, &m), 451);
	ck_assert_uint_eq(bed_files(&b, "env"), 1);
	finish(&b);
}
END_TEST

START_TEST(transports)
{
	static const struct {
		uint32_t authority;
		const char *to;
		uint16_t code;
	} rows[] = {
		{ AUTHORITY_MX, "who@far.test", 554 },
		{ AUTHORITY_MX, "nobody@no.test", 550 },	{ AUTHORITY_SUBMISSION, "who@far.test", 250 },
		{ AUTHORITY_MX, "a@v.test who@far.test", 554 },
	};
	struct commit m;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;
		bed_make(&b);
		b.authority = rows[i].authority;
		bed_run(&b, (const char *const[]){ "defer_transports", "smtp", NULL });
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, rows[i].to, &m);
		bed_send(&b, &m);
		bed_route(&b);
		ck_assert_uint_eq(bed_code(&b), rows[i].code);
		ck_assert_uint_eq(bed_files(&b, "env"), rows[i].code == 250);
		if (rows[i].code == 250)
			ck_assert(harness_logged(&b.h, "deferred transport", HARNESS_PATIENCE_MS));
		finish(&b);
	}
}
END_TEST

static int open_spool(struct bed *b, const struct queue_id *id, uint16_t code)
{
	struct spool_opened o;

	frame_send(b->smtpd, &spool_open_schema, false, ++b->serial, &(struct spool_open){ queue_id_str(id) });
	bed_answer(b, b->smtpd, &spool_opened_schema, &o);
	ck_assert_uint_eq(o.code, code);
	return o.file;
}

START_TEST(spooled)
{
	struct bed b;
	struct commit m;
	struct deliver d;
	static char big[300000];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	bed_make(&b);
	bed_run(&b, (const char *const[]){ "qmgr_client_spool_limit", "2", NULL });
	for (int with_writer = 1; with_writer >= 0; with_writer--) {
		struct queue_id id = bed_id(&b);
		int fd = open_spool(&b, &id, 250);
		ck_assert_int_eq(fd_write_all(fd, str_of(big, sizeof(big))), 0);
		if (!with_writer)
			close(fd);
		bed_commit(&b, &id, "anna@v.test", &m);
		m.spooled = true;
		m.head = m.body = STR("");
		m.size = sizeof(big);
		bed_send(&b, &m);
		if (!with_writer)
			bed_route(&b);
		ck_assert_uint_eq(bed_code(&b), with_writer ? 451 : 250);
		ck_assert_uint_eq(bed_files(&b, "tmp"), 0);
		if (with_writer)
			close(fd);
	}
	uint32_t serial = bed_delivery(&b, &d);
	ck_assert_uint_eq(d.size, sizeof(big));
	bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	/* limits: two at a time, one for each id; a dropped one counts no more */
	struct queue_id one = bed_id(&b), two = bed_id(&b), three = bed_id(&b);
	close(open_spool(&b, &one, 250));
	ck_assert_int_eq(open_spool(&b, &one, 451), -1);
	close(open_spool(&b, &two, 250));
	ck_assert_int_eq(open_spool(&b, &three, 452), -1);
	frame_send(b.smtpd, &spool_drop_schema, false, 0, &(struct spool_drop){ queue_id_str(&one) });
	close(open_spool(&b, &three, 250));
	/* the client goes, and its files with it */
	ck_assert_uint_eq(bed_files(&b, "tmp"), 2);
	close(b.smtpd);
	b.smtpd = harness_client(&b.h, "smtpd", "smtp", AUTHORITY_MX);
	bed_id(&b);
	int64_t until = clock_mono_ms() + HARNESS_PATIENCE_MS;
	while (bed_files(&b, "tmp") > 0 && clock_mono_ms() < until)
		usleep(5000);
	ck_assert_uint_eq(bed_files(&b, "tmp"), 0);
	finish(&b);
}
END_TEST

START_TEST(lookupd_is_late)
{
	struct bed b;
	struct commit m;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "qmgr_ipc_timeout", "1s", "qmgr_client_commit_limit", "2", NULL });
	for (int i = 0; i < 3; i++) {
		struct queue_id id = bed_id(&b);
		bed_commit(&b, &id, "anna@v.test", &m);
		bed_send(&b, &m);
		if (i == 2)
			ck_assert_uint_eq(bed_code(&b), 452);
	}
	ck_assert_uint_eq(bed_code(&b), 451);
	ck_assert_uint_eq(bed_code(&b), 451);
	bed_route(&b); /* too late: thrown away */
	bed_route(&b);
	bed_accept(&b, "anna@v.test");
	finish(&b);
}
END_TEST

START_TEST(room)
{
	struct bed b;
	struct verdict v;
	static const struct {
		uint64_t size;
		uint16_t code;
	} rows[] = { { 1000, 250 }, { 1ull << 40, 552 }, { UINT64_MAX, 552 } };

	bed_make(&b);
	bed_run(&b, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		frame_send(b.smtpd, &queue_room_schema, false, ++b.serial, &(struct queue_room){ rows[i].size });
		bed_answer(&b, b.smtpd, &verdict_schema, &v);
		ck_assert_uint_eq(v.code, rows[i].code);
	}
	harness_set(&b.h, "queue_minfree", "1000G");
	ck_assert(harness_reload(&b.h));
	frame_send(b.smtpd, &queue_room_schema, false, ++b.serial, &(struct queue_room){ 1 });
	bed_answer(&b, b.smtpd, &verdict_schema, &v);
	ck_assert_uint_eq(v.code, 452);
	finish(&b);
}
END_TEST

TEST_MAIN("commit", tcase_add_test(tc, on_disk_before_the_answer); tcase_add_test(tc, fifty_at_a_time);
	  tcase_add_test(tc, refused); tcase_add_test(tc, transports); tcase_add_test(tc, spooled);
	  tcase_add_test(tc, lookupd_is_late); tcase_add_test(tc, room);)
