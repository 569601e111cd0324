#include "house/house.h"

#include "conf/file.h"

#define TABLE(daemon)                                                                                                  \
	extern const struct conf_param daemon##_params[];                                                              \
	extern const size_t daemon##_params_n;
TABLE(logd)
TABLE(keyd)
TABLE(lookupd)
TABLE(resolverd)
TABLE(dialer)
TABLE(accountd)
TABLE(authd)
TABLE(local)
TABLE(commandd)
TABLE(qmgr)
TABLE(smtp)
TABLE(smtpd)
TABLE(pop3d)
TABLE(pop3session)
TABLE(imapd)
TABLE(imapsession)

#define PARAMS(daemon) .params = daemon##_params, .n_params = &daemon##_params_n

const struct house_daemon house_daemons[] = {
	{ "logd", "tayori-log", { NULL }, SANDBOX_LOG, NULL, true, PARAMS(logd) },
	{ "keyd", "tayori-key", { NULL }, SANDBOX_HELD, NULL, false, PARAMS(keyd) },
	{ "lookupd", "tayori-lookup", { NULL }, SANDBOX_READ, NULL, false, PARAMS(lookupd) },
	{ "resolverd", "tayori-dns", { NULL }, SANDBOX_NET, NULL, false, PARAMS(resolverd) },
	{ "dialer", "tayori-dial", { NULL }, SANDBOX_DIAL, "unix_sockets", false, PARAMS(dialer) },
	{ "pop3session", "root", { NULL }, SANDBOX_SPAWN, NULL, true, PARAMS(pop3session) },
	{ "imapsession", "root", { NULL }, SANDBOX_SPAWN, NULL, true, PARAMS(imapsession) },
	{ "accountd", "root", { NULL }, SANDBOX_ACCOUNT, "auth_system_users", false, PARAMS(accountd) },
	{ "authd", "tayori-auth", { "pop3session", "imapsession", "accountd", NULL }, SANDBOX_WORK, NULL, false, PARAMS(authd) },
	{ "local", "root", { "authd", "lookupd", NULL }, SANDBOX_SPAWN, NULL, true, PARAMS(local) },
	{ "commandd", "root", { "authd", "lookupd", NULL }, SANDBOX_RUN, NULL, false, PARAMS(commandd) },
	{ "smtp", "tayori-smtp", { "lookupd", "resolverd", "dialer", NULL }, SANDBOX_NET, NULL, false, PARAMS(smtp) },
	{ "qmgr", "tayori-queue", { "lookupd", "local", "commandd", "smtp", NULL }, SANDBOX_STORE, NULL, true, PARAMS(qmgr) },
	{ "smtpd", "tayori-smtpd", { "qmgr", "lookupd", "authd", "keyd", "resolverd", NULL }, SANDBOX_HELD, NULL, false, PARAMS(smtpd) },
	{ "pop3d", "tayori-front", { "authd", "keyd", "pop3session", NULL }, SANDBOX_HELD, NULL, false, PARAMS(pop3d) },
	{ "imapd", "tayori-front", { "authd", "keyd", "imapsession", NULL }, SANDBOX_HELD, NULL, false, PARAMS(imapd) },
};
const size_t house_daemons_n = COUNT(house_daemons);

const struct house_daemon *house_find(struct str name)
{
	for (size_t i = 0; i < COUNT(house_daemons); i++)
		if (str_eq(str_from(house_daemons[i].name), name))
			return &house_daemons[i];
	return NULL;
}

/* The nth row of all tables one behind the other, master's first. */
static const struct conf_param *nth_param(size_t n, const char **owner)
{
	if (n < master_params_n) {
		*owner = "master";
		return &master_params[n];
	}
	n -= master_params_n;
	for (size_t i = 0; i < COUNT(house_daemons); i++) {
		if (n < *house_daemons[i].n_params) {
			*owner = house_daemons[i].name;
			return &house_daemons[i].params[n];
		}
		n -= *house_daemons[i].n_params;
	}
	return NULL;
}

const struct conf_param *house_param(struct str name)
{
	const struct conf_param *p;
	const char *owner;

	for (size_t i = 0; (p = nth_param(i, &owner)); i++)
		if (str_eq(str_from(p->name), name))
			return p;
	return NULL;
}

const struct conf_param *house_next_param(size_t *at, const char **owner)
{
	const struct conf_param *p;
	const char *who = NULL;

	/* A parameter that several daemons share is told with its first one. */
	while ((p = nth_param((*at)++, &who)))
		if (house_param(str_from(p->name)) == p) {
			if (owner)
				*owner = who;
			return p;
		}
	return NULL;
}

const char *house_nearest(struct str name)
{
	const struct conf_param *p;
	const char *best = NULL;
	size_t at = 0, least = name.n / 3 + 1;

	while ((p = house_next_param(&at, NULL))) {
		size_t d = conf_distance(name, str_from(p->name));
		if (d < least) {
			least = d;
			best = p->name;
		}
	}
	return best;
}
