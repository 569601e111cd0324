/*
 * words - what a log line says, each event once: Postfix's words and keys where the thing is the same, so that existing
 * log tools work. Line = queue id where there is one, then these.
 */
#ifndef LOG_WORDS_H
#define LOG_WORDS_H

/* smtpd. Clients are written name[address]. */
#define WORDS_CONNECT "connect from %s"
#define WORDS_DISCONNECT "disconnect from %s commands=%u messages=%u"
#define WORDS_CLIENT "%.*s: client=%s"
#define WORDS_CLIENT_LOGIN "%.*s: client=%s, sasl_method=%s, sasl_username=%.*s"
#define WORDS_REJECT "%s: reject: %s from %s: %d %.*s %.*s; from=<%.*s> to=<%.*s> proto=%s helo=<%.*s>"
#define WORDS_RATE "warning: %s limit exceeded: %u from %s"
/* what a restriction did: reject_warning, discard, hold, prepend, warn, info */
#define WORDS_RESTRICTION "%s: %s: %s from %s: %.*s; from=<%.*s> to=<%.*s> proto=%s helo=<%.*s>"
#define WORDS_LOST "lost connection after %s from %s"
#define WORDS_TIMEOUT "timeout after %s from %s"
#define WORDS_TLS "Anonymous TLS connection established from %s: %s with cipher %s (%d/%d bits)"
#define WORDS_TLS_FAILED "SSL_accept error from %s: %s"

/* logins: smtpd, pop3d, imapd */
#define WORDS_LOGIN_FAILED "warning: %s: SASL %s authentication failed: %.*s, sasl_username=%.*s"
#define WORDS_LOGIN "%s: login user=<%.*s>, method=%s%s"

/* qmgr */
#define WORDS_QUEUED "%.*s: from=<%.*s>, size=%llu, nrcpt=%u (queue active)"
#define WORDS_ORIG_TO "orig_to=<%.*s>, " /* only when the address was changed */
#define WORDS_DELIVERY "%.*s: to=<%.*s>, %srelay=%.*s, delay=%.2f, dsn=%.*s, status=%s (%.*s)"
#define WORDS_REMOVED "%.*s: removed"
#define WORDS_EXPIRED "%.*s: from=<%.*s>, status=expired, returned to sender"
#define WORDS_HELD "%.*s: placed on hold"
#define WORDS_RELEASED "%.*s: released from hold"

#endif
