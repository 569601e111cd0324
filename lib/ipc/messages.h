/*
 * messages - everything that the daemons say to each other, each declared once.
 *
 * Who may send what to whom, and what the receiver re-checks, stands in doc/authority. A comment behind a field tells
 * what the field alone cannot. Times are wall clock in microseconds. Texts are data, never trusted.
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include "ipc/schema.h"

/* What the client side of a channel may ask for; set by master from master.cf, never claimed by the client. */
enum authority {
	AUTHORITY_MX = 1,	  /* mail from anyone, to our own recipients only; LMTP too */
	AUTHORITY_SUBMISSION = 2, /* mail from logged-in users, to anyone */
	AUTHORITY_LOCAL = 4,	  /* mail from users of this host, known by peer credentials (sendmail) */
};

/* ---- master and every daemon: the control channel (descriptor 3) ---- */

/*
 * master -> daemon: effective values of the daemon's parameters, in the order of its table, as one of its services in
 * master.cf has them. Services of the same daemon, user and authority share a process.
 */
#define SETTINGS_FIELDS(F) F(str, service) F(strs, names) F(strs, values)
/* master -> daemon: a folder that a parameter names. The daemon reaches files in it by openat; there is no other way. */
#define FOLDER_FIELDS(F) F(str, path) F(bool, write) F(fd, folder)
/* master -> daemon: how to lock itself in. */
#define WALLS_FIELDS(F)                                                                                                \
	F(bool, drop)	     /* leave the file system and become uid, gid: false when not started by root */           \
	F(u32, uid)                                                                                                    \
	F(u32, gid)                                                                                                    \
	F(fd, root)	     /* an empty, removed folder: the new root */                                              \
	F(fd, filter)	     /* seccomp program, read from its start */                                                \
	F(fd, child_filter)  /* spawners: the program for their children */                                            \
	F(bool, spawner)     /* uid and capabilities stay, its children drop them */                                   \
	F(bool, network)     /* it speaks with other hosts */                                                           \
	F(bool, landlock)    /* false: as on a kernel without it (for tests) */                                        \
	F(u64, memory_bytes) /* RLIMIT_AS, 0: none */                                                                  \
	F(u32, descriptors)  /* RLIMIT_NOFILE */
/* master -> daemon: one end of a channel to another daemon. */
#define PEER_FIELDS(F)                                                                                                 \
	F(str, daemon) F(str, service) F(u32, authority) F(u32, pid) F(bool, server) /* the peer answers, we ask */    \
		F(fd, channel)
/* master -> daemon: a bound and listening socket, or with fd none: close the one of that name. */
#define LISTENER_FIELDS(F) F(str, name) F(str, service) F(fd, socket)
/* master -> daemon: all is told, run; daemon -> master: I serve, behind these walls. */
#define START_FIELDS(F) F(bool, test) /* `clock` is allowed */
#define READY_FIELDS(F) F(u64, digest) F(str, walls)
/* master -> daemon: new settings (and folders, listeners) were told, take them. */
#define RELOAD_FIELDS(F) F(bool, force)
#define RELOADED_FIELDS(F) F(bool, ok) F(str, text)
/* master -> daemon: finish what is begun, then exit. */
#define DRAIN_FIELDS(F) F(u32, most_ms)
/* master -> daemon, in tests only: shift both clocks; answered when it is done. */
#define CLOCK_FIELDS(F) F(i64, ms)
#define CLOCK_TOLD_FIELDS(F) F(bool, ok)

/* ---- any daemon -> logd: never answered, dropped when logd does not keep up ---- */
#define LOG_LINE_FIELDS(F) F(u8, severity) F(u32, dropped) F(str, text)

/* ---- smtpd, fronts -> keyd ---- */
#define KEY_CHAIN_FIELDS(F) F(u32, number) /* the nth certificate of this service, from 0 */
#define KEY_CHAIN_ANSWER_FIELDS(F) F(bool, found) F(str, pem)
/* What is signed is built by keyd: for TLS 1.3 from the transcript hash, for 1.2 from randoms and parameters. */
#define KEY_SIGN_FIELDS(F)                                                                                             \
	F(u32, number) F(u16, scheme) /* TLS SignatureScheme, RFC 8446 4.2.3 */                                        \
		F(bool, tls13) F(str, transcript) F(str, client_random) F(str, server_random) F(str, params)
#define KEY_SIGN_ANSWER_FIELDS(F) F(bool, ok) F(str, signature)

/* ---- smtpd -> lookupd ---- */
/* May this sender be used? login: who logged in, or empty. */
#define CHECK_SENDER_FIELDS(F) F(str, client) F(str, login) F(str, sender)
#define CHECK_RECIPIENT_FIELDS(F) F(str, client) F(str, login) F(str, sender) F(str, recipient)
/* A question of a restriction about an address: enum address_question of smtp/restrict.h. */
#define CHECK_ADDRESS_FIELDS(F) F(u8, what) F(str, address)
/* What says this table, one that a restriction of master.cf or main.cf names? kind: enum access_key of smtp/restrict.h. */
#define CHECK_ACCESS_FIELDS(F) F(str, table) F(u8, kind) F(str, name) F(str, address)
enum { ACCESS_ROW = 1, ACCESS_NO_ROW, ACCESS_TROUBLE /* no answer now */ };
#define ACCESS_ANSWER_FIELDS(F) F(u8, result) /* ACCESS_... */ F(str, value)
#define VERDICT_FIELDS(F) F(u16, code) /* of the SMTP reply; 250: yes */ F(str, status) /* "5.1.1" */ F(str, text)

/* ---- qmgr -> lookupd ---- */
/* Expands aliases and finds the way for each recipient, for mail that came with `authority`. */
#define ROUTE_FIELDS(F) F(u32, authority) F(str, sender) F(strs, recipients)
/*
 * code 250: `routes` holds ROUTE_PARTS strings for each final recipient: address, the given recipient that it came
 * from, transport ("local", "virtual", "relay", "smtp"), nexthop, mailbox user, sender (owner-LIST for what a list led
 * to, else as asked). With transport local the nexthop may be a target: "|command", "/file", ":include:/file", or "\\"
 * for the mailbox without its .forward. Else why not.
 */
enum { ROUTE_PARTS = 6 };
#define ROUTE_ANSWER_FIELDS(F) F(u16, code) F(str, status) F(str, text) F(strs, routes)

/* ---- local, commandd -> lookupd ---- */
/* Does the alias of this address have this command, file or list among its values? The answer is a verdict. */
#define ALIAS_CHECK_FIELDS(F) F(str, address) F(str, target)

/* ---- smtpd, fronts -> authd ---- */
#define LOGIN_FIELDS(F) F(str, client) F(str, protocol) F(str, user) F(str, password)
enum { LOGIN_OK = 1, LOGIN_REFUSED, LOGIN_LATER /* no verdict now */ };
#define LOGIN_ANSWER_FIELDS(F)                                                                                         \
	F(u8, result) F(str, user) /* canonical */ F(str, ticket) /* for fronts: opens one session */                  \
		F(u32, delay_ms)   /* keep the answer back so long */                                                  \
		F(str, why)	   /* for the log only */

/* ---- authd -> a spawner of sessions; front -> spawner ---- */
#define MAILBOX_USER_FIELDS(F)                                                                                         \
	F(str, user) F(u32, uid) F(u32, gid) F(str, home) /* the mail folder, absolute */                              \
		F(bool, virtual_user)			  /* uid is the shared mail uid: wall it in by chroot */
#define GRANT_FIELDS(F) F(str, ticket) MAILBOX_USER_FIELDS(F)
#define GRANTED_FIELDS(F) F(bool, ok)
#define SESSION_OPEN_FIELDS(F)                                                                                         \
	F(u64, id) /* the front's number for this connection, never used again on this channel */                      \
		F(str, ticket) F(str, client) F(str, tag) /* IMAP: of the login, which the session answers */           \
		F(str, input) /* what the client sent already, after the login */ F(bool, tls) F(fd, socket)
#define SESSION_OPENED_FIELDS(F) F(bool, ok) F(str, text)

/* ---- a session process -> its spawner; spawner -> front ---- */
/* The folders whose change wakes it; an earlier pair is forgotten. */
#define SESSION_WATCH_FIELDS(F) F(fd, new_mail) F(fd, cur)
#define SESSION_WATCHED_FIELDS(F) F(bool, ok)
/*
 * It may end and leave `state` with the front? Asked by the session (id 0), passed on by the spawner (id of the front). received,
 * sent: octets that went over its socket, so that none is on its way.
 */
#define SESSION_SLEEP_FIELDS(F) F(u64, id) F(u64, received) F(u64, sent) F(bool, idle) F(str, state)
#define SESSION_SLEPT_FIELDS(F) F(bool, ok)
/* spawner -> front: its folder has changed, wake it; its process has ended. */
#define SESSION_STIR_FIELDS(F) F(u64, id)
#define SESSION_OVER_FIELDS(F) F(u64, id)
/*
 * What session_sleep.state holds: written and read by sessions, and by nobody in between. known, recent: pairs of u32, first and last UID
 * of a run, ascending.
 */
#define SESSION_STATE_FIELDS(F)                                                                                        \
	F(str, folder) F(bool, selected) F(bool, readonly) F(u32, uidvalidity) F(u64, modseq) F(u32, enabled)          \
		F(u32, keywords) /* letters in use, bit 0 is 'a' */ F(str, idle_tag) F(str, known) F(str, recent)
/* ---- front -> spawner: a connection that sleeps shall have a process again; has gone ---- */
#define SESSION_WAKE_FIELDS(F) F(u64, id) F(str, input) F(str, state) F(fd, socket)
#define SESSION_GONE_FIELDS(F) F(u64, id)

/* ---- master -> spawners, over the control channel: rows of text into the file; close those of a user ---- */
#define WHO_FIELDS(F) F(fd, file)
#define WHO_TOLD_FIELDS(F) F(u32, count)
#define KICK_FIELDS(F) F(str, user)
#define KICKED_FIELDS(F) F(u32, count)

/* ---- local, commandd -> authd ---- */
#define MAILBOX_FIND_FIELDS(F) F(str, user)
#define MAILBOX_FIELDS(F) F(u8, result) /* LOGIN_... */ MAILBOX_USER_FIELDS(F) F(str, account) /* the account's home, or empty */

/* ---- authd -> its helper for system accounts (root, a process a question) ---- */
#define SYSTEM_LOGIN_FIELDS(F) F(str, user) F(str, password)
#define SYSTEM_LOGIN_ANSWER_FIELDS(F) F(u8, result)

/* ---- smtpd -> qmgr ---- */
/* A stock of queue ids; a commit may name only an id that was given to its channel. */
#define QUEUE_IDS_FIELDS(F) F(u32, count)
#define QUEUE_IDS_ANSWER_FIELDS(F) F(strs, ids)
/* Room in the queue for `size` octets? (MAIL FROM with SIZE) */
#define QUEUE_ROOM_FIELDS(F) F(u64, size)
/* A file for data that outgrew what a commit can carry. */
#define SPOOL_OPEN_FIELDS(F) F(str, queue_id)
#define SPOOL_OPENED_FIELDS(F) F(u16, code) F(str, status) F(str, text) F(fd, file)
#define SPOOL_DROP_FIELDS(F) F(str, queue_id)
enum { MAIL_8BIT = 1, MAIL_UTF8 = 2, MAIL_HOLD = 4 /* do not try it until a person releases it */ };
#define COMMIT_FIELDS(F)                                                                                               \
	F(str, queue_id) F(str, sender) F(strs, recipients) F(u32, flags) /* MAIL_... */                               \
		F(str, client_name) F(str, client_address) F(str, helo) F(str, protocol) F(str, login)                 \
			F(bool, spooled) /* the content is the spool file of this id, else head + body */              \
			F(u64, size) F(str, head) F(str, body)
#define COMMITTED_FIELDS(F) F(u16, code) F(str, status) F(str, text)

/* ---- whoever needs the DNS -> resolverd ---- */
#define DNS_ASK_FIELDS(F) F(str, name) F(u16, type) /* of RFC 1035 */ F(u32, most_ms)
enum dns_result { DNS_FOUND, DNS_NO_DATA, DNS_NO_NAME, DNS_FAILED /* no sure answer: SERVFAIL, no answer, bogus */ };
#define DNS_ANSWER_FIELDS(F)                                                                                           \
	F(u8, result) F(bool, secure) /* validated */ F(u32, ttl) F(str, canonical) F(strs, records) F(str, why)

/* ---- smtp -> dialer ---- */
#define DIAL_FIELDS(F) F(str, path)
#define DIALED_FIELDS(F) F(str, text) /* why not */ F(fd, socket)

/* ---- qmgr -> local (its spawner hands it on to the recipient's child); commands: -> commandd ---- */
#define DELIVER_FIELDS(F)                                                                                              \
	F(str, user) F(str, queue_id) F(u32, number) /* of the recipient in its entry */                               \
		F(str, sender) F(str, recipient) F(str, original) F(str, target) /* as in a route, or empty */         \
			F(str, client_name) F(str, client_address) F(i64, arrival_us) F(u64, size)                     \
			F(bool, again) /* it may have been delivered before a crash: look first */                     \
			F(fd, content) /* read-only, exactly one message */
/* unknown: deferred, but it may have been done already, by a process that ended with it in hand */
enum {
	DELIVERY_UNKNOWN,
	DELIVERY_DONE,
	DELIVERY_DEFERRED,
	DELIVERY_FAILED,
	DELIVERY_EXPANDED, /* `targets` stand for it: addresses, and targets as in a route */
	DELIVERY_NO_LIST,  /* child -> local only: there is no .forward; text: why one is not used */
};
#define DELIVERED_FIELDS(F) F(u8, result) F(str, status) F(str, text) F(strs, targets)

/* ---- qmgr -> smtp: these recipients of this message, to this next hop, over one connection ---- */
#define TRANSFER_FIELDS(F)                                                                                             \
	F(str, queue_id) F(str, transport) /* "smtp", "relay", "lmtp" */ F(str, nexthop) /* see smtp.8 */              \
		F(str, sender) F(strs, recipients) F(u32, flags) /* MAIL_... */ F(u64, size) F(str, envid)             \
			F(fd, content) /* read-only, exactly one message, LF line ends */
/*
 * results: TRANSFER_PARTS strings for each recipient, in their order: class ("2", "4" or "5"), status "2.0.0", text (the remote's
 * words with where they were said). relay: "host[address]:port" or "none". reached: a server was there and spoke SMTP, so that what failed is about this
 * message; else about the destination.
 */
enum { TRANSFER_PARTS = 3, TRANSFER_RECIPIENTS_MAX = 100 };
#define TRANSFERRED_FIELDS(F) F(bool, reached) F(str, relay) F(strs, results)

/* ---- smtp -> lookupd: how to deal with this destination ---- */
#define REMOTE_POLICY_FIELDS(F) F(str, transport) F(str, nexthop) F(str, host) /* empty: not known yet */ F(str, sender)
/*
 * tls: as smtp_tls_security_level has it, or what smtp_tls_policy_maps says; match: names, divided by blanks, that the certificate may have (for "secure" and "verify"; empty: the
 * usual ones). user: empty: no login. code 250, else the tables cannot answer.
 */
#define REMOTE_POLICY_ANSWER_FIELDS(F) F(u16, code) F(str, text) F(str, tls) F(str, match) F(str, user) F(str, password)

/* ---- the queue tools -> qmgr (public socket, known by peer credentials) ---- */
#define QUEUE_LIST_FIELDS(F) F(str, after) /* the last id seen, empty at first */ F(u32, most)
/* One entry: `recipients` holds address, state ("queued", "deferred", ...) and last text for each that is left. */
#define QUEUE_ROW_FIELDS(F)                                                                                            \
	F(str, queue_id) F(str, state) F(i64, arrival_us) F(i64, next_try_us) F(u64, size) F(str, sender)              \
		F(u32, attempts) F(strs, recipients)
#define QUEUE_LIST_END_FIELDS(F) F(u32, rows) F(str, last) /* empty: no more */
/* verb: hold, release, requeue, delete, expire, flush; which: a queue id, "ALL", or for flush also "site:DOMAIN". */
#define QUEUE_ACT_FIELDS(F) F(str, verb) F(str, which)
#define QUEUE_ACTED_FIELDS(F) F(bool, ok) F(u32, count) F(str, text)
#define QUEUE_READ_FIELDS(F) F(str, queue_id)
#define QUEUE_CONTENT_FIELDS(F) F(bool, ok) F(str, text) /* the envelope, or why not */ F(fd, content)

/* ---- tayori mailbox -> local (its socket, root only) ---- */
#define MAILBOX_TASK_FIELDS(F) F(str, user) F(str, verb) F(strs, args) F(fd, file) /* for rows and lines */
enum { TASK_OK, TASK_WRONG /* something is wrong with the mailbox, or the answer is no */, TASK_USAGE, TASK_NO_USER, TASK_LATER };
#define MAILBOX_DONE_FIELDS(F) F(u8, status) /* TASK_... */ F(str, text)

/* ---- tayori(1) -> master (its control socket, root only) ---- */
#define CONTROL_FIELDS(F) F(str, verb) /* status, reload, stop, who, kick */ F(str, argument) F(fd, file) /* who: for its rows */
#define CONTROL_ANSWER_FIELDS(F) F(bool, ok) F(str, text)

#define IPC_MESSAGES(M)                                                                                                \
	M(settings, SETTINGS_FIELDS)                                                                                   \
	M(folder, FOLDER_FIELDS)                                                                                       \
	M(walls, WALLS_FIELDS)                                                                                         \
	M(peer, PEER_FIELDS)                                                                                           \
	M(listener, LISTENER_FIELDS)                                                                                   \
	M(start, START_FIELDS)                                                                                         \
	M(ready, READY_FIELDS)                                                                                         \
	M(reload, RELOAD_FIELDS)                                                                                       \
	M(reloaded, RELOADED_FIELDS)                                                                                   \
	M(drain, DRAIN_FIELDS)                                                                                         \
	M(clock_by, CLOCK_FIELDS)                                                                                      \
	M(clock_told, CLOCK_TOLD_FIELDS)                                                                               \
	M(log_line, LOG_LINE_FIELDS)                                                                                   \
	M(key_chain, KEY_CHAIN_FIELDS)                                                                                 \
	M(key_chain_answer, KEY_CHAIN_ANSWER_FIELDS)                                                                   \
	M(key_sign, KEY_SIGN_FIELDS)                                                                                   \
	M(key_sign_answer, KEY_SIGN_ANSWER_FIELDS)                                                                     \
	M(check_sender, CHECK_SENDER_FIELDS)                                                                           \
	M(check_recipient, CHECK_RECIPIENT_FIELDS)                                                                     \
	M(verdict, VERDICT_FIELDS)                                                                                     \
	M(check_address, CHECK_ADDRESS_FIELDS)                                                                         \
	M(check_access, CHECK_ACCESS_FIELDS)                                                                           \
	M(access_answer, ACCESS_ANSWER_FIELDS)                                                                         \
	M(route, ROUTE_FIELDS)                                                                                         \
	M(route_answer, ROUTE_ANSWER_FIELDS)                                                                           \
	M(alias_check, ALIAS_CHECK_FIELDS)                                                                             \
	M(login, LOGIN_FIELDS)                                                                                         \
	M(login_answer, LOGIN_ANSWER_FIELDS)                                                                           \
	M(grant, GRANT_FIELDS)                                                                                         \
	M(granted, GRANTED_FIELDS)                                                                                     \
	M(session_open, SESSION_OPEN_FIELDS)                                                                           \
	M(session_opened, SESSION_OPENED_FIELDS)                                                                       \
	M(session_watch, SESSION_WATCH_FIELDS)                                                                         \
	M(session_watched, SESSION_WATCHED_FIELDS)                                                                     \
	M(session_sleep, SESSION_SLEEP_FIELDS)                                                                         \
	M(session_slept, SESSION_SLEPT_FIELDS)                                                                         \
	M(session_stir, SESSION_STIR_FIELDS)                                                                           \
	M(session_over, SESSION_OVER_FIELDS)                                                                           \
	M(session_wake, SESSION_WAKE_FIELDS)                                                                           \
	M(session_state, SESSION_STATE_FIELDS)                                                                         \
	M(session_gone, SESSION_GONE_FIELDS)                                                                           \
	M(who, WHO_FIELDS)                                                                                             \
	M(who_told, WHO_TOLD_FIELDS)                                                                                   \
	M(kick, KICK_FIELDS)                                                                                           \
	M(kicked, KICKED_FIELDS)                                                                                       \
	M(mailbox_find, MAILBOX_FIND_FIELDS)                                                                           \
	M(mailbox, MAILBOX_FIELDS)                                                                                     \
	M(system_login, SYSTEM_LOGIN_FIELDS)                                                                           \
	M(system_login_answer, SYSTEM_LOGIN_ANSWER_FIELDS)                                                             \
	M(queue_ids, QUEUE_IDS_FIELDS)                                                                                 \
	M(queue_ids_answer, QUEUE_IDS_ANSWER_FIELDS)                                                                   \
	M(queue_room, QUEUE_ROOM_FIELDS)                                                                               \
	M(spool_open, SPOOL_OPEN_FIELDS)                                                                               \
	M(spool_opened, SPOOL_OPENED_FIELDS)                                                                           \
	M(spool_drop, SPOOL_DROP_FIELDS)                                                                               \
	M(commit, COMMIT_FIELDS)                                                                                       \
	M(committed, COMMITTED_FIELDS)                                                                                 \
	M(dns_ask, DNS_ASK_FIELDS)                                                                                     \
	M(dns_answer, DNS_ANSWER_FIELDS)                                                                               \
	M(dial, DIAL_FIELDS)                                                                                           \
	M(dialed, DIALED_FIELDS)                                                                                       \
	M(deliver, DELIVER_FIELDS)                                                                                     \
	M(delivered, DELIVERED_FIELDS)                                                                                 \
	M(transfer, TRANSFER_FIELDS)                                                                                   \
	M(transferred, TRANSFERRED_FIELDS)                                                                             \
	M(remote_policy, REMOTE_POLICY_FIELDS)                                                                         \
	M(remote_policy_answer, REMOTE_POLICY_ANSWER_FIELDS)                                                           \
	M(queue_list, QUEUE_LIST_FIELDS)                                                                               \
	M(queue_row, QUEUE_ROW_FIELDS)                                                                                 \
	M(queue_list_end, QUEUE_LIST_END_FIELDS)                                                                       \
	M(queue_act, QUEUE_ACT_FIELDS)                                                                                 \
	M(queue_acted, QUEUE_ACTED_FIELDS)                                                                             \
	M(queue_read, QUEUE_READ_FIELDS)                                                                               \
	M(queue_content, QUEUE_CONTENT_FIELDS)                                                                         \
	M(mailbox_task, MAILBOX_TASK_FIELDS)                                                                           \
	M(mailbox_done, MAILBOX_DONE_FIELDS)                                                                           \
	M(control, CONTROL_FIELDS)                                                                                     \
	M(control_answer, CONTROL_ANSWER_FIELDS)

#define IPC_DECLARE_(message, FIELDS) IPC_MESSAGE(message, FIELDS)
IPC_MESSAGES(IPC_DECLARE_)
#undef IPC_DECLARE_

/* All messages, indexed by type - 1; and one number over all their names, fields and kinds. */
extern const struct ipc_schema *const ipc_messages[];
extern const size_t ipc_messages_n;
uint64_t ipc_digest(void);

#endif
