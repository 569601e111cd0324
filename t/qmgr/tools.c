/* The queue commands: listing, changing, reading. */
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "qmgr/bed/bed.h"

static void finish(struct bed *b)
{
	bed_stop(b, false);
	bed_free(b);
}

/* One page; the states of its rows one behind the other. */
static uint32_t list(struct bed *b, int fd, struct str after, uint32_t most, struct buf *states, char last[32])
{
	struct queue_row row;
	struct queue_list_end end;

	frame_send(fd, &queue_list_schema, false, 7, &(struct queue_list){ after, most });
	buf_reset(states);
	/* the rows are as many as the end says; they come first */
	for (;;) {
		struct frame_head head;
		struct str payload;
		int fds[IPC_FDS_MAX];
		size_t n_fds = 0;
		ck_assert_int_eq(frame_receive(fd, &b->frame, &head, &payload, fds, &n_fds), 1);
		if (head.answer) {
			ck_assert(ipc_decode(&queue_list_end_schema, payload, fds, n_fds, &end));
			break;
		}
		ck_assert(ipc_decode(&queue_row_schema, payload, fds, n_fds, &row));
		buf_addf(states, "%.*s:%u ", STR_ARG(row.state), row.recipients.n / 3);
		ck_assert_str_is(row.sender, STR("from@v.test"));
	}
	snprintf(last, 32, "%.*s", STR_ARG(end.last));
	return end.rows;
}

/* Mail for elsewhere is deferred at once. */
static const char *const far_waits[] = { "defer_transports", "smtp", NULL };

START_TEST(hold_list_release)
{
	struct bed b;
	struct deliver d;
	scoped_buf struct buf states = { 0 };
	char last[32];

	bed_make(&b);
	b.authority = AUTHORITY_SUBMISSION;
	bed_run(&b, far_waits);
	struct queue_id id = bed_accept(&b, "anna@far.test");
	bed_accept(&b, "bert@far.test carl@far.test");
	bed_rest(&b);
	ck_assert_uint_eq(bed_act(&b, "hold", id.text).count, 1);
	scoped_fd int fd = bed_tool(&b);
	ck_assert_uint_eq(list(&b, fd, STR(""), 100, &states, last), 2);
	ck_assert_str_eq(buf_cstr(&states), "hold:1 deferred:2 ");
	ck_assert_str_eq(last, "");
	ck_assert_uint_eq(list(&b, fd, STR(""), 1, &states, last), 1);
	ck_assert_str_eq(last, id.text);
	ck_assert_uint_eq(list(&b, fd, str_from(last), 1, &states, last), 1);
	ck_assert_str_eq(buf_cstr(&states), "deferred:2 ");
	/* flush passes the held one; a restart keeps it held */
	ck_assert_uint_eq(bed_act(&b, "flush", "ALL").count, 1);
	bed_rest(&b);
	bed_stop(&b, true);
	fd_close(&fd);
	bed_run(&b, far_waits);
	fd = bed_tool(&b);
	ck_assert_uint_eq(list(&b, fd, STR(""), 100, &states, last), 2);
	ck_assert_str_eq(buf_cstr(&states), "hold:1 deferred:2 ");
	ck_assert_uint_eq(bed_act(&b, "release", "ALL").count, 1);
	ck_assert_uint_eq(bed_act(&b, "flush", "site:FAR.test").count, 2);
	ck_assert_uint_eq(bed_act(&b, "flush", "site:other.test").count, 0);
	bed_rest(&b);
	/* requeued: the tables now say that anna is here */
	frame_send(fd, &queue_act_schema, false, 1, &(struct queue_act){ STR("requeue"), queue_id_str(&id) });
	struct route r;
	uint32_t serial = bed_take(&b, b.lookupd, &route_schema, &r);
	scoped_buf struct buf routes = { 0 };
	struct route_answer a = { .code = 250, .status = STR("2.0.0"), .text = STR("ok") };
	strs_add(&routes, &a.routes, STR("anna@v.test"));
	strs_add(&routes, &a.routes, STR("anna@far.test"));
	strs_add(&routes, &a.routes, STR("virtual"));
	strs_add(&routes, &a.routes, STR(""));
	strs_add(&routes, &a.routes, STR("anna"));
	strs_add(&routes, &a.routes, r.sender);
	frame_send(b.lookupd, &route_answer_schema, true, serial, &a);
	struct queue_acted acted;
	bed_answer(&b, fd, &queue_acted_schema, &acted);
	ck_assert(acted.ok && acted.count == 1);
	serial = bed_delivery(&b, &d);
	ck_assert(d.number == 1);
	ck_assert_str_is(d.recipient, STR("anna@v.test"));
	bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	bed_await_files(&b, 1);
	ck_assert_uint_eq(bed_act(&b, "delete", "ALL").count, 1);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(at_work)
{
	struct bed b;
	struct deliver d;

	bed_make(&b);
	bed_run(&b, (const char *const[]){ "local_destination_concurrency_limit", "1", NULL });
	struct queue_id one = bed_accept(&b, "anna@v.test bert@v.test"), two = bed_accept(&b, "anna@v.test"),
			three = bed_accept(&b, "anna@v.test");
	uint32_t anna = bed_delivery(&b, &d), bert = bed_delivery(&b, &d);
	/* waiting for their turn: gone at once */
	ck_assert(bed_act(&b, "delete", two.text).ok);
	bed_await_files(&b, 2);
	ck_assert(bed_act(&b, "hold", three.text).ok);
	/* running: what is done is kept, the rest waits for the release */
	ck_assert(bed_act(&b, "hold", one.text).ok);
	bed_deliver_as(&b, anna, DELIVERY_DONE, "2.0.0", "ok");
	bed_deliver_as(&b, bert, DELIVERY_DEFERRED, "4.2.2", "full");
	ck_assert(bed_silent(b.local, 100));
	ck_assert(bed_act(&b, "release", one.text).ok);
	uint32_t serial = bed_delivery(&b, &d);
	ck_assert_str_is(d.user, STR("bert"));
	ck_assert(bed_act(&b, "delete", one.text).ok);
	bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	bed_await_files(&b, 1);
	/* given up */
	ck_assert(bed_act(&b, "expire", three.text).ok);
	ck_assert(bed_silent(b.lookupd, 50));
	ck_assert(bed_act(&b, "release", three.text).ok);
	bed_route(&b);
	serial = bed_delivery(&b, &d);
	ck_assert_str_is(d.user, STR("from"));
	bed_deliver_as(&b, serial, DELIVERY_DONE, "2.0.0", "ok");
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(read_and_errors)
{
	struct bed b;
	struct queue_content c;
	scoped_buf struct buf text = { 0 };

	bed_make(&b);
	b.authority = AUTHORITY_SUBMISSION;
	bed_run(&b, far_waits);
	struct queue_id id = bed_accept(&b, "anna@far.test");
	bed_rest(&b);
	scoped_fd int fd = bed_tool(&b);
	frame_send(fd, &queue_read_schema, false, 1, &(struct queue_read){ queue_id_str(&id) });
	bed_answer(&b, fd, &queue_content_schema, &c);
	ck_assert(c.ok && c.content >= 0);
	ck_assert_int_eq(fd_read_rest(c.content, &text), 0);
	close(c.content);
	ck_assert_str_is(buf_str(&text), STR("Subject: x\n\nbody\n"));
	static const struct {
		const char *verb, *which;
	} rows[] = {
		{ "hold", "nonsense" }, { "eat", "ALL" }, { "hold", "BBBBBBBBBBBBBBBB" }, { "hold", "site:far.test" }
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert(!bed_act(&b, rows[i].verb, rows[i].which).ok);
	/* a notice is no question */
	scoped_fd int bad = bed_tool(&b);
	frame_send(bad, &queue_act_schema, false, 0, &(struct queue_act){ STR("delete"), STR("ALL") });
	ck_assert_int_eq(read(bad, &(char){ 0 }, 1), 0);
	ck_assert_uint_eq(bed_act(&b, "delete", id.text).count, 1);
	/* not before a note that is under way is on disk */
	bed_await_files(&b, 0);
	frame_send(fd, &queue_read_schema, false, 1, &(struct queue_read){ queue_id_str(&id) });
	bed_answer(&b, fd, &queue_content_schema, &c);
	ck_assert(!c.ok && c.content < 0);
	finish(&b);
}
END_TEST

/* Many at once go in slices; a listing goes in pages. */
START_TEST(many)
{
	enum { N = 600 };
	struct bed b;
	scoped_buf struct buf states = { 0 };
	char last[32] = "";
	uint32_t rows = 0;

	bed_make(&b);
	b.authority = AUTHORITY_SUBMISSION;
	bed_run(&b, far_waits);
	for (int i = 0; i < N; i++)
		bed_accept(&b, "a@far.test");
	bed_rest(&b);
	ck_assert_uint_eq(bed_act(&b, "hold", "ALL").count, N);
	scoped_fd int fd = bed_tool(&b);
	do {
		char after[32];
		memcpy(after, last, sizeof(after));
		rows += list(&b, fd, str_from(after), 100, &states, last);
	} while (last[0]);
	ck_assert_uint_eq(rows, N);
	ck_assert_uint_eq(bed_act(&b, "release", "ALL").count, N);
	ck_assert_uint_eq(bed_act(&b, "delete", "ALL").count, N);
	bed_await_files(&b, 0);
	finish(&b);
}
END_TEST

START_TEST(connections_are_limited)
{
	struct bed b;
	int fds[17];
	char byte;

	bed_make(&b);
	bed_run(&b, NULL);
	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = bed_tool(&b);
	ck_assert_int_eq(read(fds[16], &byte, 1), 0);
	harness_shift(&b.h, 61000);
	for (size_t i = 0; i < 16; i++)
		ck_assert_int_eq(read(fds[i], &byte, 1), 0);
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	ck_assert(bed_act(&b, "flush", "ALL").ok);
	finish(&b);
}
END_TEST

TEST_MAIN("tools", tcase_add_test(tc, hold_list_release); tcase_add_test(tc, at_work);
	  tcase_add_test(tc, read_and_errors); tcase_add_test(tc, many); tcase_add_test(tc, connections_are_limited);)
