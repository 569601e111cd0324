#include "agents/logd/decide.h"

#include <stdlib.h>
#include <time.h>

#include "log/log.h"
#include "unit.h"

static const struct line_facts facts = { 1795326749LL * 1000000, { "mx.example.org", 14 }, { "tayori", 6 } };
#define DATE "Nov 22 05:52:29 "

static const struct {
	const char *daemon, *service, *text, *line;
} lines[] = {
	/* hostile texts: one event is one line of printable text */
	{ "smtpd", "smtp", "a\nNov 22 05:52:29 mx tayori/smtpd[1]: forged",
	  "tayori/smtpd[7]: a?Nov 22 05:52:29 mx tayori/smtpd[1]: forged" },
	{ "smtpd", "smtp", "\r\t\x1b[2J\x7f", "tayori/smtpd[7]: ???[2J?" },
	{ "smtpd", "smtp",
	  "\xc2\x9b"
	  "1m \xff \xe4\xbe\xbf\xe3\x82\x8a",
	  "tayori/smtpd[7]: ??1m ? \xe4\xbe\xbf\xe3\x82\x8a" },
	{ "smtpd", "smtp", "", "tayori/smtpd[7]: " },
	/* names */
	{ "smtpd", "submission", "x", "tayori/submission/smtpd[7]: x" },
	{ "smtpd", "submissions", "x", "tayori/smtps/smtpd[7]: x" },
	{ "smtpd", "smtps", "x", "tayori/smtps/smtpd[7]: x" },
	{ "smtpd", "sendmail", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "mx2", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "2525", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "127.0.0.1:2525", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "localhost:2525", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "[::1]:25", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "public/lmtp", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "smtpd", "x", "tayori/smtpd[7]: x" },
	{ "smtpd", "", "x", "tayori/smtpd[7]: x" },
	{ "pop3d", "pop3", "x", "tayori/pop3d[7]: x" },
	{ "qmgr", "qmgr", "3f: removed", "tayori/qmgr[7]: 3f: removed" },
};

static struct channel_peer peer_of(const char *daemon, const char *service)
{
	struct channel_peer peer = { .pid = 7 };

	snprintf(peer.daemon, sizeof(peer.daemon), "%s", daemon);
	snprintf(peer.service, sizeof(peer.service), "%s", service);
	return peer;
}

static void use_utc(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
}

START_TEST(line_cases)
{
	struct channel_peer peer = peer_of(lines[_i].daemon, lines[_i].service);
	scoped_buf struct buf out = { 0 }, want = { 0 };

	use_utc();
	line_add(&out, &facts, &peer, str_from(lines[_i].text));
	buf_addf(&want, DATE "mx %s\n", lines[_i].line);
	ck_assert_str_is(buf_str(&out), buf_str(&want));
	buf_reset(&out);
	buf_reset(&want);
	line_add_syslog(&out, &facts, &peer, str_from(lines[_i].text), 0, LOG_NOTICE);
	buf_addf(&want, "<22>" DATE "%s", lines[_i].line);
	ck_assert_str_is(buf_str(&out), buf_str(&want));
}
END_TEST

START_TEST(long_text_is_cut)
{
	struct channel_peer peer = peer_of("smtpd", "smtp");
	scoped_buf struct buf text = { 0 }, out = { 0 };

	/* the cut goes through a character of two octets */
	buf_addc(&text, 'a');
	while (text.n < 70000)
		buf_add(&text, STR("\xc3\xa9"));
	line_add(&out, &facts, &peer, buf_str(&text));
	ck_assert_uint_lt(out.n, LINE_TEXT_MAX + 60);
	ck_assert(str_ends(buf_str(&out), STR("\xc3\xa9?\n")));
}
END_TEST

START_TEST(priorities)
{
	static const struct {
		int64_t facility;
		uint8_t severity;
		const char *head;
	} rows[] = {
		{ 0, LOG_ERROR, "<19>" },  { 0, LOG_WARNING, "<20>" }, { 0, LOG_DETAIL, "<23>" },
		{ 1, LOG_ERROR, "<27>" },  { 9, LOG_NOTICE, "<190>" }, { 0, 255, "<22>" },
		{ 77, LOG_ERROR, "<19>" },
	};
	struct channel_peer peer = peer_of("qmgr", "qmgr");

	for (size_t i = 0; i < COUNT(rows); i++) {
		scoped_buf struct buf out = { 0 };
		line_add_syslog(&out, &facts, &peer, STR("x"), rows[i].facility, rows[i].severity);
		ck_assert(str_starts(buf_str(&out), str_from(rows[i].head)));
	}
}
END_TEST

TEST_MAIN("logd decide", tcase_add_loop_test(tc, line_cases, 0, COUNT(lines)); tcase_add_test(tc, long_text_is_cut);
	  tcase_add_test(tc, priorities))
