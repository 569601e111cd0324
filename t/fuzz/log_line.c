/* Whatever a taken-over daemon logs: one line, of printable text, of bounded length, under the name that master told. */
#include "agents/logd/decide.h"
#include "base/err.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str s)
{
	ASSERT(s.n <= LINE_TEXT_MAX + 200 && utf8_valid(s));
	for (size_t i = 0; i < s.n; i++)
		ASSERT((uint8_t)s.p[i] >= ' ' && s.p[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_facts facts = { 0, STR("mx.example.org"), STR("tayori") };
	struct channel_peer peer = { .daemon = "smtpd", .service = "submission", .pid = 7 };
	scoped_buf struct buf line = { 0 }, datagram = { 0 };
	struct str text = str_of(data, size);

	line_add(&line, &facts, &peer, text);
	ASSERT(line.n > 0 && line.p[line.n - 1] == '\n');
	check_text(str_head(buf_str(&line), line.n - 1));
	ASSERT(memmem(line.p, line.n, " mx tayori/submission/smtpd[7]: ", 32));
	line_add_syslog(&datagram, &facts, &peer, text, size ? data[0] : 0, size > 1 ? data[1] : 0);
	check_text(buf_str(&datagram));
	return 0;
}
