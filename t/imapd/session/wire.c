/* Commands with literals as they come in, whole and in single octets. */
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "imapd/session/wire.h"

/* What is said to the client stands in `out`; each command becomes "[text]", each failure a word. */
static const struct {
	const char *in, *got, *out;
} rows[] = {
	{ "", "gone", "" },
	{ "a", "gone", "" },
	{ "a {3}\r\nab", "gone", "+ OK\r\n" },
	{ "a {70000}\r\nb NOOP\r\n", "bad[b NOOP]gone", "" },
	{ "a {99999999999999999999}\r\nb NOOP\r\n", "bad[b NOOP]gone", "" },
	{ "a {300000000+}\r\nb NOOP\r\n", "flood", "" },
	{ "a {99999999999999999999+}\r\nb NOOP\r\n", "flood", "" },
	{ "\r\n", "[]gone", "" },
	{ "a NOOP\r\n", "[a NOOP]gone", "" },
	{ "a NOOP\nb NOOP\r\n", "[a NOOP][b NOOP]gone", "" },
	{ "a x{}\r\n", "[a x{}]gone", "" },
	{ "a x{1x}\r\n", "[a x{1x}]gone", "" },
	{ "a x}\r\n", "[a x}]gone", "" },
	{ "a {3}\r\na\nb x\r\n", "[a {3}\r\na\nb x]gone", "+ OK\r\n" },
	{ "a {3+}\r\na\nb x\r\n", "[a {3+}\r\na\nb x]gone", "" },
	{ "a {1}\r\nb {0}\r\n\r\n", "[a {1}\r\nb {0}\r\n]gone", "+ OK\r\n+ OK\r\n" },
	{ "a APPEND {1}\r\nb {2}\r\n", "m[a APPEND {1}\r\nb {2}]gone", "+ OK\r\n" },
	{ "a append b {2}\r\nc NOOP\r\n", "m[a append b {2}][c NOOP]gone", "" },
	{ "a append b (\\Seen) {8+}\r\nx\r\ny\r\nzz\r\nc NOOP\r\n", "m[a append b (\\Seen) {8+}][c NOOP]gone", "" },
	{ "a append b {3+}\r\nxyz\r\nc NOOP\r\n", "m[a append b {3+}][c NOOP]gone", "" },
	{ "a append b {3+}\r\nxyz {2+}\r\nno {3+}\r\nnono\r\nc NOOP\r\n", "m[a append b {3+}][c NOOP]gone", "" },
};

static void run(struct wire *w, struct buf *got)
{
	struct str command;

	for (;;) {
		switch (wire_command(w, &command)) {
		case WIRE_OK: buf_addf(got, "[%.*s]", STR_ARG(command)); break;
		case WIRE_BAD: buf_add(got, STR("bad")); break;
		case WIRE_FLOOD: buf_add(got, STR("flood")); return;
		case WIRE_GONE: buf_add(got, STR("gone")); return;
		case WIRE_SILENT: buf_add(got, STR("silent")); return;
		case WIRE_MESSAGE:
			buf_addf(got, "m[%.*s]", STR_ARG(command));
			wire_message_refuse(w);
		}
	}
}

static void talk(struct str in, size_t piece, struct buf *got, struct buf *out)
{
	int pair[2];
	struct wire w = { 0 };

	ck_assert_int_eq(socketpair(AF_UNIX, piece ? SOCK_SEQPACKET : SOCK_STREAM, 0, pair), 0);
	w.fd = pair[0];
	for (size_t i = 0; i < in.n; i += piece ? piece : in.n)
		ck_assert_int_ge(send(pair[1], in.p + i, piece ? piece : in.n, 0), 0);
	shutdown(pair[1], SHUT_WR);
	run(&w, got);
	wire_flush(&w);
	close(pair[0]);
	ssize_t n;
	buf_reserve(out, 4096);
	while ((n = recv(pair[1], out->p + out->n, out->room - out->n, 0)) > 0)
		out->n += (size_t)n;
	close(pair[1]);
	wire_free(&w);
}

START_TEST(command_cases)
{
	for (size_t piece = 0; piece < 2; piece++) {
		struct buf got = { 0 }, out = { 0 };
		talk(str_from(rows[_i].in), piece, &got, &out);
		ck_assert_str_is(buf_str(&got), str_from(rows[_i].got));
		ck_assert_str_is(buf_str(&out), str_from(rows[_i].out));
		buf_free(&got);
		buf_free(&out);
	}
}
END_TEST

static void add_times(struct buf *out, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(out, c);
}

/* A line of more than the limit goes by, with the literal that it announces. */
START_TEST(long_line)
{
	struct buf in = { 0 }, got = { 0 }, out = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	buf_add(&in, STR("tag "));
	add_times(&in, 'x', WIRE_COMMAND_MAX + 10000);
	buf_add(&in, STR(" {4+}\r\na\r\nb\r\nb NOOP\r\n"));
	int big = 1 << 20;
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	ck_assert_int_eq(send(pair[1], in.p, in.n, 0), (ssize_t)in.n);
	shutdown(pair[1], SHUT_WR);
	struct wire w = { .fd = pair[0] };
	struct str command;
	ck_assert_int_eq(wire_command(&w, &command), WIRE_BAD);
	ck_assert(str_starts(command, STR("tag xx")));
	ck_assert_int_eq(wire_command(&w, &command), WIRE_OK);
	ck_assert_str_is(command, STR("b NOOP"));
	wire_free(&w);
	close(pair[0]);
	close(pair[1]);
	buf_free(&in);
	buf_free(&got);
	buf_free(&out);
}
END_TEST

START_TEST(numbers)
{
	struct buf out = { 0 };

	put_number(&out, 0);
	buf_addc(&out, ' ');
	put_number(&out, UINT64_MAX);
	ck_assert_str_is(buf_str(&out), STR("0 18446744073709551615"));
	buf_free(&out);
}
END_TEST

TEST_MAIN("imap wire", tcase_add_loop_test(tc, command_cases, 0, COUNT(rows)); tcase_add_test(tc, long_line);
	  tcase_add_test(tc, numbers))
