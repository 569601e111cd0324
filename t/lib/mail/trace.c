#include "unit.h"

#include "mail/trace.h"

static const struct trace_received full = {
	.helo = { "client.example", 14 },
	.client_name = { "a(b.example", 11 },
	.client_address = { "2001:db8::1", 11 },
	.tls_protocol = { "TLSv1.3", 7 },
	.cipher = { "TLS_AES_256_GCM_SHA384", 22 },
	.bits = 256,
	.bits_most = 256,
	.login = { "us(er)\\", 7 },
	.host = { "mx.example", 10 },
	.protocol = { "ESMTPSA", 7 },
	.queue_id = { "4XYZ", 4 },
	.rcpt = { "bob@b.example", 13 },
	.date = { "Sun, 22 Nov 2026 05:52:29 +0000", 31 },
};

START_TEST(received_full)
{
	scoped_buf struct buf out = { 0 };

	ck_assert(trace_received(&full, &out));
	ck_assert_str_is(buf_str(&out), STR("Received: from client.example (a\\(b.example [IPv6:2001:db8::1])\n"
					    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n"
					    "\t(Authenticated sender: us\\(er\\)\\\\)\n"
					    "\tby mx.example (Tayori) with ESMTPSA id 4XYZ\n"
					    "\tfor <bob@b.example>; Sun, 22 Nov 2026 05:52:29 +0000\n"));
	for (size_t limit = 1; limit < out.n; limit++) {
		scoped_buf struct buf small = { .limit = limit };
		ck_assert(!trace_received(&full, &small));
		ck_assert_uint_eq(small.n, 0);
	}
}
END_TEST

START_TEST(received_parts)
{
	scoped_buf struct buf out = { 0 };
	struct trace_received t = { .host = STR("mx"), .queue_id = STR("Q"), .date = STR("D") };

	ck_assert(trace_received(&t, &out));
	t.helo = STR("[192.0.2.1]");
	t.client_address = STR("192.0.2.1");
	t.protocol = STR("SMTP");
	ck_assert(trace_received(&t, &out));
	ck_assert_str_is(buf_str(&out), STR("Received: by mx (Tayori) id Q; D\n"
					    "Received: from [192.0.2.1] (unknown [192.0.2.1])\n"
					    "\tby mx (Tayori) with SMTP id Q; D\n"));
}
END_TEST

static const char *const hostile[] = { "a\nBcc: x", "a\r", "\t", "\x01", "\x7f", "a\x1b[1m", "\xff", "\xc3" };

/* Each slice of the struct in turn is set to a hostile value. */
START_TEST(received_hostile)
{
	scoped_buf struct buf out = { 0 };
	static const size_t slices[] = {
		offsetof(struct trace_received, helo),		 offsetof(struct trace_received, client_name),
		offsetof(struct trace_received, client_address), offsetof(struct trace_received, tls_protocol),
		offsetof(struct trace_received, cipher),	 offsetof(struct trace_received, login),
		offsetof(struct trace_received, host),		 offsetof(struct trace_received, protocol),
		offsetof(struct trace_received, queue_id),	 offsetof(struct trace_received, rcpt),
		offsetof(struct trace_received, date),
	};

	for (size_t i = 0; i < COUNT(slices); i++) {
		struct trace_received t = full;
		struct str bad = str_from(hostile[_i]);
		memcpy((char *)&t + slices[i], &bad, sizeof(bad));
		ck_assert_msg(!trace_received(&t, &out), "slice %zu", i);
		ck_assert_uint_eq(out.n, 0);
	}
}
END_TEST

START_TEST(lines_hostile)
{
	scoped_buf struct buf out = { 0 };
	struct str bad = str_from(hostile[_i]);

	ck_assert(!trace_return_path(bad, &out) && !trace_delivered_to(bad, &out) && !trace_original_to(bad, &out));
	ck_assert(!trace_message_id(bad, STR("h"), &out) && !trace_message_id(STR("l"), bad, &out));
	ck_assert(!trace_date(bad, &out));
	ck_assert_uint_eq(out.n, 0);
}
END_TEST

START_TEST(lines)
{
	scoped_buf struct buf out = { 0 };
	char longest[TRACE_VALUE_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	ck_assert(!trace_delivered_to(str_of(longest, sizeof(longest)), &out));
	ck_assert(!trace_delivered_to(STR("a\0b"), &out));
	ck_assert(trace_return_path(STR(""), &out) && trace_return_path(STR("a@b"), &out));
	ck_assert(trace_delivered_to(STR("a@b"), &out) && trace_original_to(STR("A@b"), &out));
	ck_assert(trace_message_id(STR("1.Q"), STR("mx"), &out) && trace_date(STR("D"), &out));
	ck_assert_str_is(buf_str(&out), STR("Return-Path: <>\nReturn-Path: <a@b>\nDelivered-To: a@b\n"
					    "X-Original-To: A@b\nMessage-ID: <1.Q@mx>\nDate: D\n"));
}
END_TEST

TEST_MAIN("trace", tcase_add_test(tc, received_full); tcase_add_test(tc, received_parts);
	  tcase_add_loop_test(tc, received_hostile, 0, COUNT(hostile));
	  tcase_add_loop_test(tc, lines_hostile, 0, COUNT(hostile)); tcase_add_test(tc, lines);)
