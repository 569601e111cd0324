/* Parameters of qmgr(8). */
#ifndef QMGR_CONF_H
#define QMGR_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define QMGR_CONF(CONF)                                                                                                \
	CONF_QUEUE_DIRECTORY(CONF)                                                                                     \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_MESSAGE_SIZE_LIMIT(CONF)                                                                                  \
	CONF_SETGID_GROUP(CONF)                                                                                        \
	CONF(minimal_backoff_time, time, "5m", "1s", "1d", "Wait at least this long before a deferred recipient is tried again.") \
	CONF(maximal_backoff_time, time, "66m", "1s", "1w", "Wait at most this long; each failure doubles the wait up to it.") \
	CONF(maximal_queue_lifetime, time, "5d", "1s", "52w", "Give up a message that is older.")                        \
	CONF(bounce_queue_lifetime, time, "5d", "1s", "52w", "As maximal_queue_lifetime, for mail with the null sender.")  \
	CONF(queue_minfree, size, "0", "0", "1000G", "Free space below which mail is answered with 452. 0: one and a half times message_size_limit.") \
	CONF(qmgr_active_limit, count, "20K", "10", "10M", "Messages that are kept in memory for delivery at a time; the rest waits on disk.") \
	CONF(local_destination_concurrency_limit, count, "2", "1", "1000", "Deliveries to one mailbox at a time.")        \
	CONF(qmgr_delivery_limit, count, "100", "1", "100K", "Deliveries at a time, to all mailboxes.")                  \
	CONF(smtp_delivery_limit, count, "1000", "1", "100K", "Deliveries to other hosts at a time.")                     \
	CONF(initial_destination_concurrency, count, "5", "1", "1000", "Deliveries to one next hop at a time, at first.") \
	CONF(default_destination_concurrency_limit, count, "20", "1", "1000", "Deliveries to one next hop at a time, at most.") \
	CONF(default_destination_recipient_limit, count, "50", "1", "100", "Recipients of one delivery to another host.")  \
	CONF(delay_warning_time, time, "0", "0", "52w", "Tell the sender when a message is not delivered after this time. 0: never.") \
	CONF(bounce_size_limit, size, "50K", "0", "64M", "Return a message of at most this size whole, of a larger one the headers only.") \
	CONF(notify_classes, text, "resource, software", "", "", "What postmaster is told of: 2bounce, undeliverable mail that has no sender. Other words count for nothing.") \
	CONF(qmgr_client_commit_limit, count, "200", "1", "100K", "Unanswered commits of one service, above which it is told 452.") \
	CONF(qmgr_client_spool_limit, count, "200", "1", "100K", "Open spool files of one service, above which it is told 452.") \
	CONF(qmgr_ipc_timeout, time, "60s", "1s", "1h", "Wait this long for an answer about recipients.")                 \
	CONF(qmgr_delivery_timeout, time, "20m", "1s", "1d", "Wait this long for the end of a delivery, then try again later.") \
	CONF(defer_transports, text, "", "", "", "Transports whose mail is kept and not tried: local, virtual, relay, smtp, lmtp.")

CONF_DECLARE(qmgr, QMGR_CONF)

#endif
