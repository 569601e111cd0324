/* Parameters of smtpd(8). */
#ifndef SMTPD_CONF_H
#define SMTPD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

enum { SMTPD_MX, SMTPD_SUBMISSION, SMTPD_LMTP, SMTPD_SENDMAIL };
enum { SMTPD_TLS_NONE, SMTPD_TLS_MAY, SMTPD_TLS_ENCRYPT };

#define SMTPD_CONF(CONF)                                                                                               \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_MYORIGIN(CONF)                                                                                            \
	CONF_MESSAGE_SIZE_LIMIT(CONF)                                                                                  \
	CONF_TLS(CONF)                                                                                                 \
	CONF(smtpd_service, choice, "mx", "mx|submission|lmtp|sendmail", "", "What the service is for, and so what master lets it ask: mail from anyone to our own recipients (mx, lmtp), or from logged-in users (submission) or users of this host (sendmail) to anyone.") \
	CONF(smtpd_banner, text, "$myhostname ESMTP Tayori", "1", "", "Text of the greeting behind 220. RFC 5321 wants the hostname first.") \
	CONF(smtpd_timeout, time, "5m", "1s", "1h", "Wait this long for the next command, or for the next piece of data.") \
	CONF(smtpd_data_timeout, time, "1h", "1m", "1d", "One message may take this long from DATA to its end.")          \
	CONF(smtpd_tls_security_level, choice, "may", "none|may|encrypt", "", "Offer STARTTLS (may), insist on it (encrypt), or do not offer it.") \
	CONF(smtpd_tls_wrappermode, bool, "no", "", "", "TLS begins with the connection (port 465) instead of by STARTTLS.") \
	CONF(smtpd_sasl_auth_enable, bool, "no", "", "", "Offer AUTH, under TLS.")                                        \
	CONF(smtpd_tls_auth_only, bool, "yes", "", "", "Accept AUTH only under TLS. No is for tests on loopback.")        \
	CONF(smtpd_recipient_limit, count, "1000", "1", "50K", "Recipients a message may have.")                          \
	CONF(smtpd_hard_error_limit, count, "20", "1", "1K", "Hang up after so many errors of the client in one session.") \
	CONF(smtpd_junk_command_limit, count, "100", "1", "10K", "NOOP, VRFY, RSET and the like between two messages before they count as errors.") \
	CONF(smtpd_client_connection_count_limit, count, "50", "1", "100K", "Sessions that one client address may hold at a time.") \
	CONF(smtpd_client_connection_rate_limit, count, "0", "0", "1M", "Connections of one client address (of an IPv6 /64) in anvil_rate_time_unit. 0: any number; so for the next four.") \
	CONF(smtpd_client_message_rate_limit, count, "0", "0", "1M", "Messages that it may begin.")                       \
	CONF(smtpd_client_recipient_rate_limit, count, "0", "0", "1M", "Recipients that it may name.")                    \
	CONF(smtpd_client_auth_rate_limit, count, "0", "0", "1M", "AUTH commands.")                                       \
	CONF(smtpd_client_new_tls_session_rate_limit, count, "0", "0", "1M", "TLS handshakes.")                           \
	CONF(smtpd_client_event_limit_exceptions, networks, "$mynetworks", "", "", "Clients whose sessions and events are not counted.") \
	CONF(anvil_rate_time_unit, time, "60s", "1s", "1d", "The unit of time in which they are counted, for each service by itself.") \
	CONF(smtpd_session_limit, count, "10K", "1", "1M", "Sessions of this service at a time; further ones are told 421.") \
	CONF(smtpd_auth_limit, count, "5", "1", "100", "Failed logins in one session before it is closed.")             \
	CONF(header_size_limit, size, "1M", "4K", "64M", "Refuse a message whose header is larger.")                     \
	CONF(hopcount_limit, count, "50", "5", "1000", "Refuse a message with more Received headers: it runs in circles.") \
	CONF(disable_vrfy_command, bool, "no", "", "", "Answer VRFY with 502; otherwise it is 252, which tells nothing either.") \
	CONF(smtpd_peername_lookup, bool, "yes", "", "", "Look for the name of a client: the one of its address that leads back to it.") \
	CONF(smtpd_hide_client, bool, "no", "", "", "Leave the client's name and address out of the Received header of submitted mail.") \
	CONF(mynetworks, networks, "127.0.0.0/8 [::1]/128", "", "", "Clients that permit_mynetworks means. They may send to others only by a service whose smtpd_service lets them.") \
	CONF(smtpd_delay_reject, bool, "yes", "", "", "Ask the restrictions of client, HELO and sender at RCPT TO, when it is known who shall get the mail; no: at EHLO and MAIL FROM.") \
	CONF(smtpd_helo_required, bool, "yes", "", "", "MAIL FROM needs EHLO or HELO before it.")                          \
	CONF(smtpd_client_restrictions, checks, "", "", "", "Restrictions for a client's name and address.")             \
	CONF(smtpd_helo_restrictions, checks, "", "", "", "Restrictions for the name in EHLO or HELO.")                  \
	CONF(smtpd_sender_restrictions, checks, "", "", "", "Restrictions for MAIL FROM.")                               \
	CONF(smtpd_relay_restrictions, checks, "", "", "", "Restrictions for RCPT TO, meant for relaying; lookupd's own word about it stands above them.") \
	CONF(smtpd_recipient_restrictions, checks, "", "", "", "Restrictions for RCPT TO.")                              \
	CONF(smtpd_data_restrictions, checks, "", "", "", "Restrictions for DATA.")

CONF_DECLARE(smtpd, SMTPD_CONF)

#endif
