/* The daemon itself, forwarding to a name server that this test plays: sure answers, sure noes, and everything else. */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns/packet.h"
#include "harness/harness.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "unit.h"

/* ---- the name server ---- */

static void put16(struct buf *b, unsigned v)
{
	buf_addc(b, (char)(v >> 8));
	buf_addc(b, (char)v);
}

static void put_name(struct buf *b, const char *name)
{
	struct str rest = str_from(name);

	while (rest.n > 0) {
		struct str label = str_cut(&rest, '.');
		buf_addc(b, (char)label.n);
		buf_add(b, label);
	}
	buf_addc(b, 0);
}

static void put_record(struct buf *b, const char *owner, unsigned type, struct str data)
{
	put_name(b, owner);
	put16(b, type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 60);
	put16(b, (unsigned)data.n);
	buf_add(b, data);
}

struct row {
	const char *name;
	unsigned type, rcode;
	const char *target; /* address, host, or alias */
	unsigned preference;
	bool silent, garbage;
};
static const struct row rows[] = {
	{ "a.test", DNS_A, 0, "192.0.2.7", 0, false, false },
	{ "six.test", DNS_AAAA, 0, "2001:db8::7", 0, false, false },
	{ "alias.test", DNS_CNAME, 0, "a.test", 0, false, false },
	{ "circle.test", DNS_CNAME, 0, "circle.test", 0, false, false },
	{ "mx.test", DNS_MX, 0, "a.test", 10, false, false },
	{ "null.test", DNS_MX, 0, "", 0, false, false },
	{ "nodata.test", 0, 0, NULL, 0, false, false },
	{ "fail.test", 0, 2, NULL, 0, false, false },
	{ "refused.test", 0, 5, NULL, 0, false, false },
	{ "silent.test", 0, 0, NULL, 0, true, false },
	{ "garbage.test", 0, 0, NULL, 0, false, true },
};

static void add_data(const struct row *r, struct buf *out)
{
	scoped_buf struct buf data = { 0 };
	uint8_t octets[16];

	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, r->target, octets);
		buf_add(&data, str_of(octets, r->type == DNS_A ? 4 : 16));
		break;
	case DNS_MX: put16(&data, r->preference); /* fall through */
	default: put_name(&data, r->target);
	}
	put_record(out, r->name, r->type, buf_str(&data));
}

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_ieq(str_from(rows[i].name), str_from(name)))
			return &rows[i];
	return NULL;
}

/* The question's name, and its length on the wire. */
static size_t read_name(struct str q, char out[256])
{
	size_t at = 0, n = 0;

	while (at < q.n && q.p[at] && n < 200) {
		size_t length = (uint8_t)q.p[at];
		if (n)
			out[n++] = '.';
		for (size_t i = 1; i <= length; i++)
			out[n++] = ascii_lower(q.p[at + i]);
		at += length + 1;
	}
	out[n] = '\0';
	return at + 1;
}

static bool reply_to(struct str question, struct buf *out)
{
	char name[256];
	size_t n = read_name(str_skip(question, 12), name);
	unsigned type = (unsigned)(uint8_t)question.p[12 + n] << 8 | (uint8_t)question.p[13 + n];
	const struct row *r = find_row(name);
	bool has = r && r->type && (r->type == type || r->type == DNS_CNAME);

	if (r && r->silent)
		return false;
	if (r && r->garbage) {
		buf_add(out, STR("\0\0garbage"));
		return true;
	}
	buf_add(out, str_head(question, 2));
	put16(out, 0x8580 | (r ? r->rcode : 3)); /* an unknown name does not exist */
	put16(out, 1);
	put16(out, has);
	put16(out, 0);
	put16(out, 0);
	buf_add(out, str_head(str_skip(question, 12), n + 4));
	if (has)
		add_data(r, out);
	return true;
}

static pid_t serve(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	getsockname(fd, (struct sockaddr *)&a, &length);
	*port = ntohs(a.sin_port);
	pid_t pid = fork();
	if (pid != 0) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		char room[1500];
		struct sockaddr_in from;
		socklen_t n_from = sizeof(from);
		ssize_t n = recvfrom(fd, room, sizeof(room), 0, (struct sockaddr *)&from, &n_from);
		scoped_buf struct buf out = { 0 };
		if (n > 16 && reply_to(str_of(room, (size_t)n), &out))
			sendto(fd, out.p, out.n, 0, (struct sockaddr *)&from, n_from);
	}
}

/* ---- the questions ---- */

static const struct {
	const char *name;
	uint16_t type;
	enum dns_result result;
	const char *record, *canonical;
} cases[] = {
	{ "fail.test", DNS_A, DNS_FAILED, NULL, NULL },
	{ "refused.test", DNS_MX, DNS_FAILED, NULL, NULL },
	{ "circle.test", DNS_A, DNS_FAILED, NULL, NULL },
	{ "garbage.test", DNS_A, DNS_FAILED, NULL, NULL },
	{ "silent.test", DNS_A, DNS_FAILED, NULL, NULL },
	{ "nothing.test", DNS_A, DNS_NO_NAME, NULL, NULL },
	{ "nodata.test", DNS_MX, DNS_NO_DATA, NULL, NULL },
	{ "a.test", DNS_A, DNS_FOUND, "\xc0\x00\x02\x07", "a.test" },
	{ "A.TEST", DNS_A, DNS_FOUND, "\xc0\x00\x02\x07", "a.test" },
	{ "six.test", DNS_AAAA, DNS_FOUND, "\x20\x01\x0d\xb8", NULL },
	{ "alias.test", DNS_A, DNS_FOUND, "\xc0\x00\x02\x07", "a.test" },
	{ "mx.test", DNS_MX, DNS_FOUND, "\x00\x0a"
					"a.test",
	  NULL },
	{ "null.test", DNS_MX, DNS_FOUND, "\x00\x00", NULL },
};

START_TEST(answers)
{
	struct harness h;
	struct arena tmp = { 0 };
	uint16_t port;
	pid_t pid = serve(&port);

	harness_begin(&h, "resolverd");
	harness_set(&h, "resolver_forward", arena_printf(&tmp, "127.0.0.1@%u", port));
	harness_set(&h, "resolver_trust_anchor_file", "");
	int ask = harness_client(&h, "smtp", "smtp", 0);
	ck_assert(harness_run(&h));
	for (size_t i = 0; i < COUNT(cases); i++) {
		scoped_buf struct buf frame = { 0 };
		struct dns_ask q = { .name = str_from(cases[i].name), .type = cases[i].type, .most_ms = 3000 };
		struct dns_answer a = { 0 };
		struct str record = { 0 };
		size_t at = 0;
		ck_assert_msg(frame_call(ask, &dns_ask_schema, &q, &dns_answer_schema, 20000, &frame, &a), "%s", cases[i].name);
		ck_assert_msg(a.result == cases[i].result, "%s: %d %.*s", cases[i].name, a.result, STR_ARG(a.why));
		ck_assert(a.result != DNS_FAILED || a.why.n > 0);
		strs_next(&a.records, &at, &record);
		if (cases[i].record) {
			size_t n = record.n < 4 ? record.n : 4;
			ck_assert_msg(record.n > 0 && memcmp(record.p, cases[i].record, n) == 0, "%s", cases[i].name);
		}
		if (cases[i].canonical)
			ck_assert_str_is(a.canonical, str_from(cases[i].canonical));
		ck_assert(!a.secure);
	}
	/* what is no name breaks the channel, and only it */
	frame_send(ask, &dns_ask_schema, false, 9, &(struct dns_ask){ .name = STR("a b"), .type = 1, .most_ms = 1000 });
	ck_assert(harness_logged(&h, "sent what it may not", HARNESS_PATIENCE_MS));
	close(ask);
	ck_assert_int_eq(harness_end(&h), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	arena_free(&tmp);
}
END_TEST

TEST_MAIN("resolverd", tcase_add_test(tc, answers))
