/* Parameters of smtp(8). */
#ifndef SMTP_CONF_H
#define SMTP_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

enum { SMTP_INET_ALL, SMTP_INET_IPV4, SMTP_INET_IPV6 };
enum { SMTP_PREFER_ANY, SMTP_PREFER_IPV4, SMTP_PREFER_IPV6 };

#define SMTP_CONF(CONF)                                                                                                \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_TLS(CONF)                                                                                                 \
	CONF(smtp_helo_name, text, "$myhostname", "1", "", "The name in EHLO and LHLO.")                                 \
	CONF(smtp_port, count, "25", "1", "65535", "Where remote hosts listen, when the next hop names no port.")         \
	CONF_UNIX_SOCKETS(CONF)                                                                                         \
	CONF(smtp_inet_protocols, choice, "$inet_protocols", "all|ipv4|ipv6", "", "Which addresses are used.")                        \
	CONF(smtp_address_preference, choice, "any", "any|ipv4|ipv6", "", "Which addresses of a host are tried first.")     \
	CONF(smtp_mx_address_limit, count, "5", "1", "40", "Addresses that are tried in one attempt.")                    \
	CONF(smtp_dns_time_limit, time, "10s", "1s", "5m", "The addresses of one next hop are looked for no longer than this.") \
	CONF(smtp_connect_timeout, time, "30s", "1s", "10m", "To connect to one address.")                                \
	CONF(smtp_helo_timeout, time, "5m", "1s", "1h", "For the greeting, and for the answer to EHLO, STARTTLS and AUTH.") \
	CONF(smtp_mail_timeout, time, "5m", "1s", "1h", "For the answers to MAIL and RCPT.")                              \
	CONF(smtp_data_init_timeout, time, "2m", "1s", "1h", "For the answer to DATA.")                                   \
	CONF(smtp_data_xfer_timeout, time, "3m", "1s", "1h", "For each piece of the message to leave.")                    \
	CONF(smtp_data_done_timeout, time, "10m", "1s", "1h", "For the answer to the end of the message.")                  \
	CONF(smtp_quit_timeout, time, "10s", "1s", "10m", "For the answer to QUIT; nothing depends on it.")                 \
	CONF(smtp_connection_reuse_time, time, "2s", "0", "5m", "An idle connection is kept this long for the next message to the same next hop. 0: never.") \
	CONF(smtp_connection_reuse_count_limit, count, "100", "1", "100K", "Messages over one connection.")               \
	CONF(smtp_tls_CAfile, file, "", "", "", "Certificates of those who may sign others, in PEM; empty: those of the system. Read at start.")

CONF_DECLARE(smtp, SMTP_CONF)

#endif
