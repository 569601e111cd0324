/* Parameters of lookupd(8). */
#ifndef LOOKUPD_CONF_H
#define LOOKUPD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define LOOKUPD_CONF(CONF)                                                                                             \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_MYDOMAIN(CONF)                                                                                            \
	CONF_MYORIGIN(CONF)                                                                                            \
	CONF_RECIPIENT_DELIMITER(CONF)                                                                                 \
	CONF(mydestination, text, "$myhostname, localhost.$mydomain, localhost", "", "", "Domains whose recipients are accounts of this host or names in alias_maps. Names, or type:table.") \
	CONF(local_recipient_maps, tables, "unix:passwd.byname, $alias_maps", "", "", "Which local recipients exist, beside those in alias_maps. unix:passwd.byname: the accounts of this host, as they are when lookupd starts. Empty: all names.") \
	CONF(alias_maps, tables, "", "", "", "Local names to addresses, other local names, commands, files and lists: see aliases(5).")                         \
	CONF(alias_database, tables, "$alias_maps", "", "", "What newaliases compiles: the lmdb tables among them.")     \
	CONF(virtual_alias_domains, text, "$virtual_alias_maps", "", "", "Domains of which every address is an alias. Names, or type:table.") \
	CONF(virtual_alias_maps, tables, "", "", "", "Addresses to one or more addresses; @domain is the catch-all.")      \
	CONF(virtual_mailbox_domains, text, "$virtual_mailbox_maps", "", "", "Domains whose recipients are virtual users. Names, or type:table.") \
	CONF(virtual_mailbox_maps, tables, "", "", "", "Which virtual recipients exist: address to user, or passwd-file:FILE for authd's users. Empty: all names.") \
	CONF(relay_domains, text, "", "", "", "Domains that this host takes mail for and hands on. Names, or type:table.")    \
	CONF(relay_recipient_maps, tables, "", "", "", "Which of their recipients exist; empty: all.")                      \
	CONF(smtpd_sender_login_maps, tables, "", "", "", "Sender address to the logins that may use it. A login may always use its own address.") \
	CONF(smtpd_access_tables, tables, "", "", "", "Tables that restrictions may ask. master adds all that the restrictions of smtpd's services name, so it can stay empty.") \
	CONF(virtual_alias_recursion_limit, count, "100", "1", "1000", "How deep aliases of aliases may go.")              \
	CONF(virtual_alias_expansion_limit, count, "1000", "1", "50K", "How many recipients one alias may become.")        \
	CONF(transport_maps, tables, "", "", "", "Domain or address to transport:nexthop.")                              \
	CONF(local_transport, text, "local", "1", "", "How mail for mydestination is delivered: local, or lmtp:nexthop.")   \
	CONF(virtual_transport, text, "virtual", "1", "", "How mail for virtual_mailbox_domains is delivered: virtual, or lmtp:nexthop such as lmtp:[127.0.0.1]:24.") \
	CONF(relay_transport, text, "relay", "1", "", "How mail for relay_domains is handed on: relay, relay:nexthop, lmtp:nexthop.") \
	CONF(default_transport, text, "smtp", "1", "", "How all other mail is handed on: smtp, or smtp:nexthop.")          \
	CONF(relayhost, text, "", "", "", "The next hop of all mail for other domains, such as [mail.example.net]:587; empty: each domain's own hosts.") \
	CONF(sender_dependent_relayhost_maps, tables, "", "", "", "Sender address or @domain to a relayhost of its own.")  \
	CONF(smtp_tls_security_level, choice, "may", "none|may|encrypt|verify|secure", "", "TLS towards other hosts: not used, used when offered, needed, needed with a certificate that fits the host, or that fits the next hop's domain.") \
	CONF(smtp_tls_policy_maps, tables, "", "", "", "The same for single next hops: 'secure match=.example.net'.")      \
	CONF(lmtp_tls_security_level, choice, "none", "none|may|encrypt|verify|secure", "", "As smtp_tls_security_level, for LMTP.") \
	CONF(smtp_sasl_auth_enable, bool, "no", "", "", "Log in at hosts that smtp_sasl_password_maps names.")             \
	CONF(smtp_sasl_password_maps, tables, "", "", "", "Next hop or host to user:password.")                          \
	CONF(smtp_sender_dependent_authentication, bool, "no", "", "", "Look in smtp_sasl_password_maps for the sender's address first.") \
	CONF_AUTH_DEFAULT_DOMAIN(CONF)                                                                                 \
	CONF_ALIASES(CONF)

CONF_DECLARE(lookupd, LOOKUPD_CONF)

#endif
