#include "decide.h"

#include "base/time.h"
#include "log/log.h"

/* What readers of Postfix's logs know before "/smtpd": mail of a service that is called otherwise they do not count. */
static const char *word_of(struct str service)
{
	if (str_eq(service, STR("submission")))
		return "/submission";
	return str_eq(service, STR("submissions")) || str_eq(service, STR("smtps")) ? "/smtps" : "";
}

static void add_program(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer)
{
	buf_add(out, facts->syslog_name);
	if (str_eq(str_from(peer->daemon), STR("smtpd")))
		buf_add(out, str_from(word_of(str_from(peer->service))));
	buf_addf(out, "/%s[%u]: ", peer->daemon, peer->pid);
}

static void add_text(struct buf *out, struct str text)
{
	size_t from = out->n;

	buf_add(out, str_head(text, LINE_TEXT_MAX));
	log_clean(out->p + from, out->n - from);
}

static void add_date(struct buf *out, int64_t wall_us)
{
	char date[DATE_MAX];

	buf_add(out, str_of(date, date_syslog(wall_us, date)));
	buf_addc(out, ' ');
}

void line_add(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer, struct str text)
{
	struct str host = facts->host;

	add_date(out, facts->wall_us);
	buf_add(out, str_cut(&host, '.'));
	buf_addc(out, ' ');
	add_program(out, facts, peer);
	add_text(out, text);
	buf_addc(out, '\n');
}

/* As the choices of syslog_facility stand; numbers of RFC 3164, 4.1.1. */
static unsigned facility_number(int64_t facility)
{
	static const unsigned char numbers[] = { 2, 3, 16, 17, 18, 19, 20, 21, 22, 23 };

	return numbers[facility >= 0 && (size_t)facility < COUNT(numbers) ? facility : 0];
}

static unsigned severity_number(uint8_t severity)
{
	static const unsigned char numbers[LOG_SEVERITIES] = {
		[LOG_ERROR] = 3, [LOG_WARNING] = 4, [LOG_NOTICE] = 6, [LOG_DETAIL] = 7
	};

	return numbers[severity < LOG_SEVERITIES ? severity : LOG_NOTICE];
}

void line_add_syslog(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer, struct str text,
		     int64_t facility, uint8_t severity)
{
	buf_addf(out, "<%u>", facility_number(facility) * 8 + severity_number(severity));
	add_date(out, facts->wall_us);
	add_program(out, facts, peer);
	add_text(out, text);
}
