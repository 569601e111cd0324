/*
 * common - parameters that more than one daemon reads, each declared once, as a macro that goes into their lists.
 */
#ifndef PROC_COMMON_H
#define PROC_COMMON_H

#define CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF(myhostname, text, "localhost.localdomain", "1", "",                                                       \
	     "The internet hostname of this mail system: in greetings, trace headers and replies. master sets it from the host's name when it is not given.")
#define CONF_MYDOMAIN(CONF)                                                                                            \
	CONF(mydomain, text, "localdomain", "1", "", "The domain of this mail system: by default myhostname without its first part.")
#define CONF_MYORIGIN(CONF)                                                                                            \
	CONF(myorigin, text, "$myhostname", "1", "", "The domain that is added to addresses without one, in mail that is submitted here.")
#define CONF_RECIPIENT_DELIMITER(CONF)                                                                                 \
	CONF(recipient_delimiter, text, "", "", "", "Characters that separate a user from an extension, such as + in user+list. Each of them counts.")
#define CONF_MESSAGE_SIZE_LIMIT(CONF)                                                                                  \
	CONF(message_size_limit, size, "50M", "64K", "2G", "Refuse a larger message.")
#define CONF_QUEUE_DIRECTORY(CONF)                                                                                     \
	CONF(queue_directory, folder, "/var/spool/tayori", "1", "", "The queue: a maildir with env/ beside it.")
#define CONF_SETGID_GROUP(CONF)                                                                                        \
	CONF(setgid_group, text, "tayori-queue", "", "", "Members of this group may read and change the queue, as root may.")
#define CONF_UNIX_SOCKETS(CONF)                                                                                        \
	CONF(unix_sockets, text, "", "", "", "Paths of unix sockets of other programs to which mail may be handed on, as lmtp:unix:PATH.")
#define CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF(first_valid_uid, count, "500", "1", "2000000000", "Users with a lower uid have no mailbox here and cannot log in.")
#define CONF_AUTH_DEFAULT_DOMAIN(CONF)                                                                                 \
	CONF(auth_default_domain, text, "", "", "", "Added to a login name, and to a user of the passwd-file, without a domain.")
#define CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF(virtual_mailbox_base, folder, "/var/mail/tayori", "1", "", "Below this are the mail folders of virtual users, one folder each.")
#define CONF_ALIASES(CONF)                                                                                             \
	CONF(default_privs, text, "nobody", "1", "", "The account that runs commands, writes files and reads lists of aliases. Never root.") \
	CONF(allow_mail_to_commands, text, "alias, forward", "", "", "Where |command may stand: alias (alias_maps), forward (.forward files).") \
	CONF(allow_mail_to_files, text, "alias, forward", "", "", "Where /file may stand: alias (alias_maps), forward (.forward files).")
#define CONF_FRONT(CONF)                                                                                               \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_TLS(CONF)                                                                                                 \
	CONF(front_tls_auth_only, bool, "yes", "", "", "Accept logins only under TLS. No is for tests on loopback.")      \
	CONF(front_login_timeout, time, "1m", "1s", "10m", "Time to log in.")                                            \
	CONF(front_session_limit, count, "10K", "1", "1M", "Connections of this service at a time.")                   \
	CONF(front_auth_limit, count, "5", "1", "100", "Failed logins in one connection before it is closed.")         \
	CONF(front_client_connection_count_limit, count, "50", "1", "100K", "Connections that one client address may hold at a time.") \
	CONF(front_tls, choice, "starttls", "none|starttls|required|implicit", "", "TLS is not offered, offered by STARTTLS or STLS, needed before a login, or begins with the connection (ports 993, 995).")
#define CONF_IMAP_SESSION_TIMEOUT(CONF)                                                                                \
	CONF(imap_session_timeout, time, "30m", "10s", "1d", "A silent session ends after this time, asleep or not. RFC 3501 wants 30 minutes at least.")
#define CONF_TLS(CONF)                                                                                                 \
	CONF(tls_min_version, choice, "TLSv1.2", "TLSv1.2|TLSv1.3", "", "Refuse older versions of TLS.")

#endif
