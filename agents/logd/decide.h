/* decide - what a line looks like: Postfix's form, so that existing log tools read it. */
#ifndef LOGD_DECIDE_H
#define LOGD_DECIDE_H

#include "base/buf.h"
#include "ipc/channel.h"

enum { LINE_TEXT_MAX = 2000 };

/* The part of each line that is the house's, not the writer's. */
struct line_facts {
	int64_t wall_us;
	struct str host; /* the first label is written */
	struct str syslog_name;
};

/*
 * Adds "Nov 22 05:52:29 host tayori/smtpd[123]: text\n". Of the services of smtpd, submission is
 * told as tayori/submission/smtpd and submissions as tayori/smtps/smtpd, as Postfix does. `text` comes from a daemon that
 * may be taken over: it is cleaned (log_clean), and cut at LINE_TEXT_MAX octets.
 */
void line_add(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer, struct str text);

/* The same as a datagram to syslog (RFC 3164, without host): "<22>Nov 22 05:52:29 tayori/smtpd[123]: text". */
void line_add_syslog(struct buf *out, const struct line_facts *facts, const struct channel_peer *peer, struct str text,
		     int64_t facility, uint8_t severity);

#endif
