/* classes - a policy of tables that stand in the configuration, for tests. */
#ifndef T_LOOKUPD_CLASSES_H
#define T_LOOKUPD_CLASSES_H

#include <string.h>

#include "agents/lookupd/policy.h"
#include "base/err.h"

struct world {
	struct policy policy;
	struct dict *accounts;
	struct buf told;
};

static inline struct dict *world_open(void *arg, struct str spec, struct err *err)
{
	(void)arg;
	return dict_open(spec, -1, NULL, STR(""), err);
}

static inline void world_tell(void *arg, const char *text)
{
	struct world *w = arg;

	buf_addf(&w->told, "%s\n", text);
}

static inline struct lookupd_conf world_conf(void)
{
	return (struct lookupd_conf){
		.myhostname = STR("mx.example.com"),
		.mydomain = STR("example.com"),
		.myorigin = STR("Example.com"),
		.recipient_delimiter = STR("+-"),
		.local_transport = STR("local"),
		.virtual_transport = STR("virtual"),
		.relay_transport = STR("relay"),
		.default_transport = STR("smtp"),
		.mydestination = STR("example.com, localhost inline:{ {mx.example.com=x} }"),
		.local_recipient_maps = STR("proxy:unix:passwd.byname inline:{ {list+ext=x}, {hank@localhost=x} }"),
		.alias_maps = STR(
			"inline:{ {root=admin, ops@out.example}, {admin=admin}, {cmd=|/bin/cat}, {quoted=\"|cat x\"},"
			" {file=/var/mail/x}, {incl=:include:/x}, {back=\\back}, {loopa=loopb}, {loopb=loopa},"
			" {empty=,}, {bad=a b}, {team+x=carol}, {away=<dave@out.example>},"
			" {crew=hank, |cmd, /f, hank, |cmd, :include:/l}, {owner-crew=admin}, {nested=crew, carol},"
			" {self=self, \"|v self\"}, {open=\"|x}, {both=\\hank, hank}, {owner-away=dave@out.example} }"),
		.default_privs = STR("nobody"),
		.allow_mail_to_commands = STR("alias, forward"),
		.allow_mail_to_files = STR("alias, forward"),
		.virtual_alias_domains = STR("alias.example"),
		.virtual_alias_maps =
			STR("inline:{ {sales@alias.example=user1@virt.example, user2@virt.example},"
			    " {two@alias.example=sales@alias.example, user1@virt.example},"
			    " {out@alias.example=someone@out.example}, {bare@alias.example=hank},"
			    " {@catch.example=catcher@virt.example}, {move@alias.example=@virt.example},"
			    " {@moved.example=@virt.example}, {ext@alias.example=user1@virt.example},"
			    " {dead@alias.example=nobody@alias.example}, {loop1@alias.example=loop2@alias.example},"
			    " {loop2@alias.example=loop1@alias.example}, {p@alias.example=q@alias.example},"
			    " {q@alias.example=p@alias.example}, {pq@alias.example=p@alias.example, q@alias.example},"
			    " {hub@alias.example=hub@alias.example, spoke@alias.example},"
			    " {spoke@alias.example=spoke@alias.example, hub@alias.example},"
			    " {postmaster=boss@virt.example}, {empty@alias.example=,}, {vcmd@alias.example=|cat},"
			    " {vfile@alias.example=/f}, {vlist@alias.example=:include:/f}, {vself@alias.example=\\hank} }"),
		.virtual_mailbox_domains = STR("virt.example, catch.example, moved.example"),
		.virtual_mailbox_maps =
			STR("inline:{ {user1@virt.example=user1@virt.example}, {user2@virt.example=virt/user2/},"
			    " {boss@virt.example=The.Boss@virt.example}, {catcher@virt.example=OK},"
			    " {full+ext@virt.example=x} }"),
		.relay_domains = STR("relay.example, [192.0.2.1]"),
		.relay_recipient_maps = STR(""),
		.smtpd_sender_login_maps = STR("inline:{ {info@virt.example=user1@virt.example, hank},"
					       " {@shared.example=user2@virt.example} }"),
		.virtual_alias_recursion_limit = 100,
		.virtual_alias_expansion_limit = 1000,
		.transport_maps = STR(""),
		.auth_default_domain = STR(""),
	};
}

static inline void world_begin(struct world *w, const struct lookupd_conf *conf)
{
	static const char names[] = "inline:{ hank=x, admin=x, root=x, carol=x, back=x }";
	struct dict *accounts = dict_open(str_from(names), -1, NULL, STR(""), NULL);
	struct policy_world pw = { .open = world_open, .tell = world_tell, .arg = w, .accounts = accounts };

	*w = (struct world){ .accounts = accounts };
	policy_open(&w->policy, conf, &pw, 0);
}

static inline void world_end(struct world *w)
{
	policy_close(&w->policy);
	dict_close(w->accounts);
	buf_free(&w->told);
}

#endif
