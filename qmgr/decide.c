#include "decide.h"

#include <errno.h>

#include "mail/addr.h"

static const struct str transports[] = { STR("local"), STR("virtual"), STR("relay"), STR("lmtp"), STR("smtp") };
enum { OUTSIDE = 4 }; /* from here on: to anywhere */

bool decide_address_ok(struct str s)
{
	if (s.n > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool recipients_ok(const struct strs *list)
{
	struct str s;
	size_t at = 0;

	while (strs_next(list, &at, &s))
		if (s.n == 0 || !decide_address_ok(s))
			return false;
	return list->n > 0 && list->n <= ENV_RECIPIENTS_MAX;
}

bool decide_content_ok(struct str bytes)
{
	return bytes.n == 0 || (!memchr(bytes.p, '\0', bytes.n) && !memchr(bytes.p, '\r', bytes.n));
}

struct reply decide_commit(const struct commit *m, const struct qmgr_conf *conf)
{
	if (!decide_address_ok(m->sender) || !recipients_ok(&m->recipients))
		return REPLY(451, 4, 3, 0, "Malformed envelope");
	if (m->client_name.n > ADDRESS_MAX || m->client_address.n > ADDRESS_MAX || m->login.n > ADDRESS_MAX)
		return REPLY(451, 4, 3, 0, "Malformed client");
	if (m->size > (uint64_t)conf->message_size_limit + HEAD_ROOM)
		return REPLY(552, 5, 3, 4, "Message size exceeds fixed limit");
	if (m->spooled ? m->head.n + m->body.n > 0 : m->size != m->head.n + m->body.n)
		return REPLY(451, 4, 3, 0, "Malformed content");
	if (!decide_content_ok(m->head) || !decide_content_ok(m->body))
		return REPLY(550, 5, 6, 0, "Message has octets that mail may not have");
	return (struct reply){ 0 };
}

struct reply decide_room(const struct queue_space *space, uint64_t size, const struct qmgr_conf *conf)
{
	uint64_t free = (uint64_t)conf->queue_minfree, need;

	if (free == 0)
		free = (uint64_t)conf->message_size_limit * 3 / 2;
	if (size > (uint64_t)conf->message_size_limit)
		return REPLY(552, 5, 3, 4, "Message size exceeds fixed limit");
	if (__builtin_add_overflow(free, size, &need) || space->bytes < need || space->inodes < 64)
		return REPLY(452, 4, 3, 1, "Insufficient system storage");
	return (struct reply){ 0 };
}

struct reply decide_transport(uint32_t authority, struct str transport, bool forwarded)
{
	size_t i = 0;

	while (i < COUNT(transports) && !str_eq(transport, transports[i]))
		i++;
	if (i == COUNT(transports))
		return REPLY(451, 4, 3, 5, "Mail transport unknown");
	if (i >= OUTSIDE && !forwarded && !(authority == AUTHORITY_SUBMISSION || authority == AUTHORITY_LOCAL))
		return REPLY(554, 5, 7, 1, "Relay access denied");
	return (struct reply){ 0 };
}

struct reply decide_errno(int error)
{
	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		return REPLY(452, 4, 3, 1, "Insufficient system storage");
	return REPLY(451, 4, 3, 0, "Error: queue file write error");
}

struct reply decide_reply(uint16_t code, struct str status, struct str text)
{
	struct reply r = reply_make(code, 0, 0, 0, "%.*s", STR_ARG(str_head(text, REPLY_TEXT_MAX)));

	for (size_t i = 0; i < COUNT(r.enh); i++) {
		uint64_t n;
		if (!str_u64(str_cut(&status, '.'), 255, &n))
			return REPLY(451, 4, 3, 0, "Malformed answer");
		r.enh[i] = (uint8_t)n;
	}
	if (code < 400 || code > 599 || r.enh[0] != code / 100 || status.n > 0)
		return REPLY(451, 4, 3, 0, "Malformed answer");
	return r;
}

int64_t decide_backoff_ms(uint32_t attempts, const struct qmgr_conf *conf)
{
	int64_t ms = conf->minimal_backoff_time;

	while (attempts-- > 1 && ms < conf->maximal_backoff_time)
		ms *= 2;
	return ms < conf->maximal_backoff_time ? ms : conf->maximal_backoff_time;
}

bool decide_expired(int64_t arrival_us, int64_t now_us, struct str sender, const struct qmgr_conf *conf)
{
	int64_t lifetime = sender.n > 0 ? conf->maximal_queue_lifetime : conf->bounce_queue_lifetime;

	return now_us - arrival_us > lifetime * 1000;
}

bool decide_warn(const struct env *env, int64_t now_us, const struct qmgr_conf *conf)
{
	return conf->delay_warning_time > 0 && !env->warned && env->sender.n > 0 &&
	       now_us - env->arrival_us > conf->delay_warning_time * 1000;
}

bool decide_tell_postmaster(struct str service, const struct qmgr_conf *conf)
{
	return !str_eq(service, STR("double-bounce")) && conf_list_has(conf->notify_classes, STR("2bounce"));
}

struct str decide_status(enum env_state state, struct str status)
{
	struct str general = state == ENV_DELIVERED  ? STR("2.0.0")
			     : state == ENV_DEFERRED ? STR("4.0.0")
						     : STR("5.0.0");
	struct str rest = status;
	uint64_t part;

	for (int i = 0; i < 3; i++)
		if (!str_u64(str_cut(&rest, '.'), 999, &part))
			return general;
	return rest.n == 0 && status.n <= ENV_STATUS_MAX && status.p[0] == general.p[0] && status.p[1] == '.' ? status
													      : general;
}

bool decide_deferred(struct str transport, const struct qmgr_conf *conf)
{
	return conf_list_has(conf->defer_transports, transport);
}

bool decide_is_local(struct str transport)
{
	return str_eq(transport, transports[0]) || str_eq(transport, transports[1]);
}

struct str decide_target(const struct env_recipient *r)
{
	bool target = str_eq(r->transport, transports[0]) && r->nexthop.n > 0 && memchr("|/:\\", r->nexthop.p[0], 4);

	return target ? r->nexthop : (struct str){ 0 };
}

void decide_key(const struct env_recipient *r, struct str target, struct buf *key)
{
	buf_reset(key);
	addr_key(r->address, key);
	buf_addc(key, '\0');
	buf_add(key, target);
	buf_addc(key, '\0');
	buf_add(key, r->user);
}

bool decide_is_command(const struct env_recipient *r)
{
	return str_starts(decide_target(r), STR("|"));
}

bool decide_repeats(const struct env_recipient *r)
{
	struct str target = decide_target(r);

	return decide_is_local(r->transport) && (target.n == 0 || target.p[0] == '\\');
}
