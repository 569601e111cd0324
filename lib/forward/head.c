#include "forward/head.h"

#include <time.h>
#include <unistd.h>

#include "mail/header.h"
#include "mail/trace.h"

enum { HEADER_MOST = 64 << 10 };

void head_write(const struct deliver *m, struct buf *out)
{
	if (!trace_return_path(m->sender, out))
		trace_return_path(STR(""), out);
	if (m->original.n > 0 && !str_ieq(m->original, m->recipient))
		trace_original_to(m->original, out);
	trace_delivered_to(m->recipient, out);
}

void head_from_line(struct str sender, int64_t wall_us, struct buf *out)
{
	time_t now = (time_t)(wall_us / 1000000);
	struct tm tm;
	char date[40];

	buf_add(out, STR("From "));
	/* readers take the first blank for the sender's end */
	for (size_t i = 0; i < sender.n; i++)
		buf_addc(out, (unsigned char)sender.p[i] > ' ' && sender.p[i] != 0x7f ? sender.p[i] : '_');
	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_addf(out, "%s %s\n", sender.n ? "" : "MAILER-DAEMON", date);
}

bool head_is_loop(int content, uint64_t size, struct str recipient)
{
	scoped_buf struct buf head = { 0 };
	struct header_field field;

	buf_reserve(&head, HEADER_MOST);
	ssize_t n = pread(content, head.p, size < HEADER_MOST ? (size_t)size : HEADER_MOST, 0);
	head.n = n > 0 ? (size_t)n : 0;
	struct header_iter it = header_begin(buf_str(&head));
	while (header_next(&it, &field))
		if (str_ieq(field.name, STR("Delivered-To")) && str_ieq(str_trim(field.value), recipient))
			return true;
	return false;
}
