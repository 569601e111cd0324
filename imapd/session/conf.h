/* Parameters of the sessions of imapd(8). */
#ifndef IMAPSESSION_CONF_H
#define IMAPSESSION_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define IMAPSESSION_CONF(CONF)                                                                                         \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_MESSAGE_SIZE_LIMIT(CONF)                                                                                  \
	CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF_IMAP_SESSION_TIMEOUT(CONF)                                                                                \
	CONF(imap_sleep_after, time, "5s", "0", "1h", "A session without a command for so long gives its process back until the client speaks again; in IDLE at once. 0: only in IDLE.") \
	CONF(imap_special_use, text, "Drafts=\\Drafts Sent=\\Sent Trash=\\Trash Junk=\\Junk Archive=\\Archive", "", "", "Folders that clients are told the purpose of (RFC 6154), as NAME=ATTRIBUTE; they are not created.") \
	CONF(imap_process_limit, count, "1000", "1", "100K", "Session processes at a time; sleeping ones have none.")

CONF_DECLARE(imapsession, IMAPSESSION_CONF)

#endif
