#include "decide.h"

#include "base/time.h"
#include "log/log.h"

/* "submission", not "2525" or "127.0.0.1:2525". */
static bool is_word(struct str service)
{
	for (size_t i = 0; i < service.n; i++)
		if (!ascii_alnum(service.p[i]) && service.p[i] != '-' && service.p[i] != '_')
			return false;
	return service.n > 0 && ascii_alpha(service.p[0]);
}

static void add_program(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer)
{
	struct str service = str_from(peer->service), daemon = str_from(peer->daemon);

	buf_add(out, facts->syslog_name);
	if (str_eq(daemon, STR("smtpd")) && is_word(service) && !str_eq(service, STR("smtp")) &&
	    !str_eq(service, daemon))
		buf_addf(out, "/%s", peer->service);
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
