/*
 * policy - the parameters of lookupd as tables that can be asked: each table is opened once, whoever names it, followed
 * when its file is replaced, and complained about once a minute at most.
 */
#ifndef LOOKUPD_POLICY_H
#define LOOKUPD_POLICY_H

#include "base/arena.h"
#include "base/hash.h"
#include "conf.h"
#include "dict/dict.h"

/* How the policy reaches the world. */
struct policy_world {
	struct dict *(*open)(void *arg, struct str spec, struct err *err);
	void (*tell)(void *arg, const char *text); /* a line for the log */
	void *arg;
	struct dict *accounts, *groups; /* unix:passwd.byname and unix:group.byname, lent; NULL: they were not read */
};

struct source;

/* A list parameter: names and tables, asked in their order. */
struct maps {
	struct maps_item {
		struct str name; /* a plain name, lower case; p NULL: a table */
		struct source *source;
	} * items;
	size_t n;
};

/* A table that restrictions of smtpd may ask. */
struct access_table {
	struct str spec;
	struct maps maps;
};

struct policy {
	struct arena arena;
	struct policy_world world;
	struct source *sources;
	int64_t now_ms;
	struct str myorigin, delimiter;
	size_t recursion_limit, expansion_limit;
	struct maps mydestination, local_recipient, alias;
	struct maps virtual_alias_domains, virtual_alias;
	struct maps virtual_mailbox_domains, virtual_mailbox;
	struct maps relay_domains, relay_recipient;
	struct maps sender_login, transport;
	struct access_table *access;
	size_t n_access;
	struct maps sender_relayhost, tls_policy, passwords;
	struct str local_transport, virtual_transport, relay_transport, default_transport, relayhost;
	struct str tls_level, lmtp_tls_level; /* words of the parameters */
	bool log_in, by_sender;
	struct str default_privs;
	bool alias_commands, alias_files;
};

/* Tables that cannot be opened are told, and answer DICT_ERROR until they can. */
void policy_open(struct policy *p, const struct lookupd_conf *conf, const struct policy_world *world, int64_t now_ms);
void policy_close(struct policy *p);
/* Before each question: looks at the files, at most once a second. */
void policy_refresh(struct policy *p, int64_t now_ms);

/* The first item that has the key decides; so does one that cannot answer. A plain name has itself as its value. */
enum dict_result maps_get(struct policy *p, const struct maps *m, struct str key, struct buf *value);
/* Is one of them a table of patterns, whose values may hold pieces of the key? */
bool maps_have_patterns(const struct maps *m);
/* The same for a part of what was asked: tables of patterns are left out, their rows are for the whole. */
enum dict_result maps_get_part(struct policy *p, const struct maps *m, struct str key, struct buf *value);

#endif
