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
#define CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF(first_valid_uid, count, "500", "1", "2000000000", "Users with a lower uid have no mailbox here and cannot log in.")
#define CONF_AUTH_DEFAULT_DOMAIN(CONF)                                                                                 \
	CONF(auth_default_domain, text, "", "", "", "Added to a login name, and to a user of the passwd-file, without a domain.")
#define CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF(virtual_mailbox_base, folder, "/var/mail/tayori", "1", "", "Below this are the mail folders of virtual users, one folder each.")
#define CONF_TLS(CONF)                                                                                                 \
	CONF(tls_min_version, choice, "TLSv1.2", "TLSv1.2|TLSv1.3", "", "Refuse older versions of TLS.")

#endif
