/* What local says that a recipient leads to: nonsense first, then loops, crashes, and what becomes of it; and owners of lists. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "qmgr/bed/bed.h"

#define ANNA "anna@h.test|local|h.test|anna|from@v.test\n"
#define BEN "ben@h.test|local|h.test|ben|from@v.test\n"

static void begin(struct bed *b)
{
	bed_make(b);
	b->authority = AUTHORITY_SUBMISSION;
	bed_run(b, (const char *const[]){ "minimal_backoff_time", "1s", "maximal_backoff_time", "1s", NULL });
}

static void finish(struct bed *b)
{
	bed_stop(b, false);
	bed_free(b);
}

/* A message whose routes are told. */
static struct queue_id accept_as(struct bed *b, const char *routes)
{
	struct queue_id id = bed_id(b);
	struct commit m;

	bed_commit(b, &id, "x@h.test", &m);
	bed_send(b, &m);
	bed_route_as(b, routes);
	ck_assert_int_eq(bed_code(b), 250);
	return id;
}

static uint32_t take(struct bed *b, const char *user, const char *target)
{
	struct deliver d;
	uint32_t serial = bed_delivery(b, &d);

	ck_assert_str_is(d.user, str_from(user));
	ck_assert_str_is(d.target, str_from(target));
	return serial;
}

static void deliver(struct bed *b, const char *user, const char *target)
{
	bed_deliver_as(b, take(b, user, target), DELIVERY_DONE, "2.0.0", "ok");
}

static const char *const malformed[] = { "", "a@h.test\n\n", ":include:/x", "a\x01@h.test" };

START_TEST(malformed_targets)
{
	struct bed b;

	begin(&b);
	accept_as(&b, ANNA);
	bed_expand_as(&b, take(&b, "anna", ""), malformed[_i]);
	ck_assert(harness_logged(&b.h, "dsn=4.3.0, status=deferred (Malformed answer)", 5000));
	finish(&b);
}
END_TEST

START_TEST(all_kinds)
{
	struct bed b;
	struct deliver d;

	begin(&b);
	accept_as(&b, ANNA);
	bed_expand_as(&b, take(&b, "anna", ""), "\\\nben\n|cmd x\n/f");
	bed_route_as(&b, BEN);
	ck_assert(harness_logged(&b.h, "status=sent (forwarded as ", 5000));
	uint32_t serial = bed_take(&b, b.commandd, &deliver_schema, &d);
	close(d.content);
	ck_assert_str_is(d.user, STR("anna"));
	ck_assert_str_is(d.target, STR("|cmd x"));
	ck_assert_str_is(d.recipient, STR("anna@h.test"));
	ck_assert_uint_eq(d.number, 2);
	struct delivered done = { .result = DELIVERY_DONE, .status = STR("2.0.0"), .text = STR("ran") };
	frame_send(b.commandd, &delivered_schema, true, serial, &done);
	deliver(&b, "anna", "\\");
	deliver(&b, "anna", "/f");
	deliver(&b, "ben", "");
	bed_await_files(&b, 0);
	ck_assert(harness_logged(&b.h, "to=<ben@h.test>, orig_to=<x@h.test>", 1000));
	finish(&b);
}
END_TEST

/* ben leads back to anna, who leads to ben: nobody has it, and the sender hears of that. */
START_TEST(loop)
{
	struct bed b;

	begin(&b);
	accept_as(&b, ANNA);
	bed_expand_as(&b, take(&b, "anna", ""), "ben");
	bed_route_as(&b, BEN);
	bed_expand_as(&b, take(&b, "ben", ""), "anna");
	bed_route_as(&b, ANNA);
	ck_assert(harness_logged(&b.h, "dsn=5.4.6, status=bounced (mail forwarding loop for ben@h.test)", 5000));
	finish(&b);
}
END_TEST

/* What the entry has is not added again; the own address is the mailbox. */
START_TEST(known_and_self)
{
	struct bed b;

	begin(&b);
	accept_as(&b, ANNA BEN);
	uint32_t anna = take(&b, "anna", "");
	deliver(&b, "ben", "");
	ck_assert(harness_logged(&b.h, "to=<ben@h.test>", 5000));
	bed_expand_as(&b, anna, "ben\nanna+x@h.test\nben");
	bed_route_as(&b, BEN "anna+x@h.test|local|h.test|anna|from@v.test\n");
	deliver(&b, "anna", "\\");
	bed_await_files(&b, 0);
	accept_as(&b, ANNA BEN);
	anna = take(&b, "anna", "");
	deliver(&b, "ben", "");
	bed_expand_as(&b, anna, "ben");
	bed_route_as(&b, BEN);
	ck_assert(harness_logged(&b.h, "to=<anna@h.test>, orig_to=<x@h.test>, relay=local", 5000));
	ck_assert(harness_logged(&b.h, "sent (forwarded to recipients that were there already)", 5000));
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

static void kill_and_run(struct bed *b)
{
	bed_stop(b, true);
	bed_run(b, (const char *const[]){ "minimal_backoff_time", "1s", "maximal_backoff_time", "1s", NULL });
}

/* Killed before the expansion is noted: it is asked again. After it, its recipients have their turn, by their old numbers. */
START_TEST(crashes)
{
	struct bed b;
	struct deliver d;
	struct route r;

	begin(&b);
	accept_as(&b, ANNA);
	bed_expand_as(&b, take(&b, "anna", ""), "ben\n/f");
	bed_take(&b, b.lookupd, &route_schema, &r);
	kill_and_run(&b);
	bed_expand_as(&b, take(&b, "anna", ""), "ben\n/f");
	bed_route_as(&b, BEN);
	/* delivery begins when it is durable */
	uint32_t serial = bed_delivery(&b, &d);
	ck_assert(d.number == 1 || d.number == 2);
	bed_deliver_as(&b, serial, DELIVERY_DEFERRED, "4.2.0", "later");
	kill_and_run(&b);
	for (int i = 0; i < 2; i++) {
		serial = bed_delivery(&b, &d);
		ck_assert(str_eq(d.target, STR("/f")) ? d.number == 1 : str_eq(d.user, STR("ben")) && d.number == 2);
		bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

static off_t env_size(const struct bed *b, const struct queue_id *id)
{
	char path[400];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "%s/env/%s", b->queue, id->text);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/* A file that was written is noted while another recipient of the round still runs: a crash does not write it again. */
START_TEST(files_are_noted_early)
{
	struct bed b;

	begin(&b);
	struct queue_id id = accept_as(&b, ANNA "l@h.test|local|/f|nobody|from@v.test\n");
	off_t before = env_size(&b, &id);
	take(&b, "anna", "");
	deliver(&b, "nobody", "/f");
	for (int64_t end = clock_mono_ms() + 60000; env_size(&b, &id) == before;) {
		ck_assert_int_lt(clock_mono_ms(), end);
		usleep(2000);
	}
	kill_and_run(&b);
	deliver(&b, "anna", "");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

/* An entry for each sender; all or none. */
START_TEST(owners)
{
	struct bed b;
	struct deliver d;
	int seen = 0;

	begin(&b);
	accept_as(&b, ANNA "l@h.test|local|/f|nobody|owner-l@h.test\nben@h.test|local|h.test|ben|owner-l@h.test\n");
	ck_assert_uint_eq(bed_files(&b, "env"), 2);
	for (int i = 0; i < 3; i++) {
		uint32_t serial = bed_delivery(&b, &d);
		bool anna = str_eq(d.user, STR("anna"));
		ck_assert_str_is(d.sender, anna ? STR("from@v.test") : STR("owner-l@h.test"));
		seen |= anna ? 1 : str_eq(d.user, STR("ben")) ? 2 : 4;
		bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	}
	ck_assert_int_eq(seen, 7);
	ck_assert(harness_logged(&b.h, "with another sender as ", 1000));
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

/* The same with a message that was spooled. */
START_TEST(owners_of_a_large_message)
{
	struct bed b;
	struct deliver d;
	struct commit m;
	struct spool_opened o;
	char text[8] = "";

	begin(&b);
	struct queue_id id = bed_id(&b);
	frame_send(b.smtpd, &spool_open_schema, false, ++b.serial, &(struct spool_open){ .queue_id = queue_id_str(&id) });
	bed_answer(&b, b.smtpd, &spool_opened_schema, &o);
	ck_assert_int_eq(o.code, 250);
	ck_assert_int_eq(fd_write_all(o.file, STR("A: b\n\nc\n")), 0);
	close(o.file);
	bed_commit(&b, &id, "x@h.test", &m);
	m.spooled = true;
	m.head = m.body = (struct str){ 0 };
	m.size = 8;
	bed_send(&b, &m);
	bed_route_as(&b, ANNA "ben@h.test|local|h.test|ben|owner-l@h.test\n");
	ck_assert_int_eq(bed_code(&b), 250);
	for (int i = 0; i < 2; i++) {
		uint32_t serial = bed_take(&b, b.local, &deliver_schema, &d);
		ck_assert_int_eq(pread(d.content, text, sizeof(text), 0), 8);
		ck_assert(memcmp(text, "A: b\n\nc\n", 8) == 0);
		close(d.content);
		bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	}
	bed_await_files(&b, 0);
	ck_assert_uint_eq(bed_files(&b, "new") + bed_files(&b, "cur") + bed_files(&b, "tmp"), 0);
	finish(&b);
}
END_TEST

TEST_MAIN("forward", {
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, malformed_targets, 0, COUNT(malformed));
	tcase_add_test(tc, all_kinds);
	tcase_add_test(tc, loop);
	tcase_add_test(tc, known_and_self);
	tcase_add_test(tc, crashes);
	tcase_add_test(tc, files_are_noted_early);
	tcase_add_test(tc, owners);
	tcase_add_test(tc, owners_of_a_large_message);
})
