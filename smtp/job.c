/*
 * One transfer: how the next hop is to be dealt with, where it is, then one address after the other until somebody has
 * decided about each recipient. What nobody decided waits.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/fd.h"
#include "smtp/smtp.h"

enum { LOOKUPD_MS = 30000, DIALER_MS = 10000, LMTP_PORT = 24 };

bool job_has_open(const struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->recipients[i].fate == FATE_OPEN)
			return true;
	return false;
}

void job_settle_one(struct job *job, struct recipient *r, enum fate fate, const char *status, const char *text)
{
	r->fate = fate;
	r->status = arena_str(&job->arena, str_from(status));
	r->text = arena_str(&job->arena, str_from(text));
}

void job_settle(struct job *job, enum fate fate, const char *status, const char *format, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (size_t i = 0; i < job->n; i++)
		if (job->recipients[i].fate == FATE_OPEN)
			job_settle_one(job, &job->recipients[i], fate, status, text);
}

static void job_free(struct job *job)
{
	struct smtp *smtp = job->smtp;

	call_cancel(&job->call);
	if (job->searching)
		exchange_stop(&job->exchange);
	fd_close(&job->content);
	if (job->password.n > 0)
		explicit_bzero((char *)(uintptr_t)job->password.p, job->password.n);
	*job->prev = job->next;
	if (job->next)
		job->next->prev = job->prev;
	arena_free(&job->arena);
	free(job);
	if (smtp->run->draining && !smtp->jobs)
		run_drained(smtp->run);
}

static void answer(struct job *job)
{
	static const char *const classes[] = { [FATE_OPEN] = "4", [FATE_SENT] = "2", [FATE_LATER] = "4", [FATE_NEVER] = "5" };
	scoped_buf struct buf raw = { 0 };
	struct transferred t = { .reached = job->reached, .relay = str_from(job->relay[0] ? job->relay : "none") };

	for (size_t i = 0; i < job->n; i++) {
		const struct recipient *r = &job->recipients[i];
		strs_add(&raw, &t.results, str_from(classes[r->fate]));
		strs_add(&raw, &t.results, r->status);
		strs_add(&raw, &t.results, r->text);
	}
	if (job->from)
		channel_answer(job->from, job->serial, &transferred_schema, &t);
	job_free(job);
}

static void next_address(struct job *job);
static void search(struct job *job);
static void dial(struct job *job);

void job_over(struct job *job)
{
	job->remote = NULL;
	if (!job_has_open(job))
		answer(job);
	else if (job->searching)
		next_address(job);
	else if (job->path.n > 0)
		dial(job);
	else
		search(job); /* a kept connection was stale */
}

/* ---- addresses ---- */

static bool usable(const struct job *job, const struct exchange_address *a)
{
	int64_t protocols = smtp_conf(job->smtp)->smtp_inet_protocols;

	return protocols == SMTP_INET_ALL || (protocols == SMTP_INET_IPV4) == (a->n == 4);
}

static void next_address(struct job *job)
{
	struct exchange *x = &job->exchange;

	while (job->at < x->n && job->tried < (size_t)smtp_conf(job->smtp)->smtp_mx_address_limit) {
		const struct exchange_address *a = &x->found[job->at++];
		if (!usable(job, a))
			continue;
		job->tried++;
		remote_open(job, a);
		return;
	}
	if (job->refused)
		job_settle(job, FATE_NEVER, "5.0.0", "%s", job->why);
	else
		job_settle(job, FATE_LATER, "4.4.1", "%s", job->why[0] ? job->why : "no usable address");
	answer(job);
}

static void on_found(struct exchange *x, enum exchange_result result)
{
	struct job *job = x->arg;
	static const char *const statuses[] = { [EXCHANGE_LATER] = "4.4.3", [EXCHANGE_NO_NAME] = "5.4.4", [EXCHANGE_NULL_MX] = "5.1.10", [EXCHANGE_SELF] = "5.4.6" };

	if (result == EXCHANGE_OK) {
		next_address(job);
		return;
	}
	/* what the DNS says for sure is about this mail; that it does not answer is about the destination */
	job->reached = result != EXCHANGE_LATER;
	job_settle(job, result == EXCHANGE_LATER ? FATE_LATER : FATE_NEVER, statuses[result], "%s", x->why);
	answer(job);
}

static void search(struct job *job)
{
	const struct smtp_conf *conf = smtp_conf(job->smtp);
	struct exchange_rules rules = {
		.mx = !job->lmtp,
		.ipv4 = conf->smtp_inet_protocols != SMTP_INET_IPV6,
		.ipv6 = conf->smtp_inet_protocols != SMTP_INET_IPV4,
		.first = conf->smtp_address_preference == SMTP_PREFER_IPV6 ? 16 : conf->smtp_address_preference == SMTP_PREFER_IPV4 ? 4 : 0,
		.myhostname = conf->myhostname,
		.own = job->port == conf->smtp_port ? job->smtp->own : NULL, /* another port of ours is another server */
		.n_own = job->port == conf->smtp_port ? job->smtp->n_own : 0,
		.most_ms = conf->smtp_dns_time_limit,
	};

	job->searching = true;
	job->reached = false;
	exchange_start(&job->exchange, run_server(job->smtp->run, "resolverd"), job->domain, &rules, on_found, job);
}

/* ---- sockets of this host ---- */

static void on_dialed(void *arg, enum call_result result, void *message)
{
	struct job *job = arg;
	struct dialed *m = message;

	job->tried++;
	snprintf(job->relay, sizeof(job->relay), "%.*s", STR_ARG(job->path));
	if (result == CALL_OK && m->socket >= 0) {
		remote_adopt(job, fd_take(&m->socket));
		return;
	}
	job_settle(job, FATE_LATER, "4.4.1", "connect to %.*s: %.*s", STR_ARG(job->path),
		   STR_ARG(result == CALL_OK && m->text.n ? m->text : STR("dialer does not answer")));
	answer(job);
}

static bool is_listed(struct str list, struct str path)
{
	struct str item;

	while (conf_list_next(&list, &item))
		if (str_eq(item, path))
			return true;
	return false;
}

/* Once: a kept connection that was stale, or nobody spoke. */
static void dial(struct job *job)
{
	bool listed = is_listed(smtp_conf(job->smtp)->unix_sockets, job->path);

	if (!listed || job->tried > 0) {
		job->reached = !listed; /* it says nothing about the program */
		if (listed)
			job_settle(job, FATE_LATER, "4.4.1", "%s", job->why);
		else
			job_settle(job, FATE_LATER, "4.3.5", "unix_sockets does not list %.*s", STR_ARG(job->path));
		answer(job);
		return;
	}
	job->reached = false;
	struct dial q = { .path = job->path };
	channel_call(run_server(job->smtp->run, "dialer"), &dial_schema, &q, &dialed_schema, DIALER_MS, &job->call, on_dialed, job);
}

/* ---- policy ---- */

static bool take_level(struct str word, enum tls_level *out)
{
	static const char *const words[] = { "none", "may", "encrypt", "verify", "secure" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (str_eq(word, str_from(words[i]))) {
			*out = (enum tls_level)i;
			return true;
		}
	return false;
}

static void on_policy(void *arg, enum call_result result, void *message)
{
	struct job *job = arg;
	const struct remote_policy_answer *m = message;

	if (result != CALL_OK || m->code != 250 || !take_level(m->tls, &job->tls)) {
		job->reached = true; /* nothing is known about the destination */
		job_settle(job, FATE_LATER, "4.3.5", "%.*s", STR_ARG(result == CALL_OK && m->text.n ? m->text : STR("the tables do not answer")));
		answer(job);
		return;
	}
	job->match = arena_str(&job->arena, m->match);
	job->user = arena_str(&job->arena, m->user);
	job->password = arena_str(&job->arena, m->password);
	size_t n = strlen(job->key);
	snprintf(job->key + n, sizeof(job->key) - n, "|%d|%.*s|%.*s", (int)job->tls, STR_ARG(job->match), STR_ARG(job->user));
	if (remote_reuse(job))
		return;
	if (job->path.n > 0)
		dial(job);
	else
		search(job);
}

/* "unix:/path", for LMTP. */
static bool take_path(struct job *job, struct str hop)
{
	job->path = hop;
	job->domain = arena_str(&job->arena, smtp_conf(job->smtp)->myhostname);
	return job->lmtp && str_starts(hop, STR("/")) &&
	       snprintf(job->key, sizeof(job->key), "unix|%.*s", STR_ARG(hop)) < (int)sizeof(job->key) - 64;
}

/* "domain", "[host]", "host:port", "[host]:port"; an address literal keeps its brackets. */
static bool take_nexthop(struct job *job)
{
	struct str hop = job->m.nexthop;
	ptrdiff_t colon = str_rfind(hop, ':');
	uint64_t port;

	job->port = job->lmtp ? LMTP_PORT : (uint16_t)smtp_conf(job->smtp)->smtp_port;
	if (hop.n == 0)
		return false;
	if (str_eat_word(&hop, STR("unix:")))
		return take_path(job, hop);
	bool has_port = colon > 0 && (hop.p[0] != '[' ? str_find(hop, ':') == colon : hop.p[colon - 1] == ']');
	if (has_port) {
		if (!str_u64(str_skip(hop, (size_t)colon + 1), UINT16_MAX, &port) || port == 0)
			return false;
		job->port = (uint16_t)port;
		hop = str_head(hop, (size_t)colon);
	}
	job->domain = hop;
	return snprintf(job->key, sizeof(job->key), "%.*s|%.*s|%u", STR_ARG(job->m.transport), STR_ARG(hop), job->port) < (int)sizeof(job->key) - 64;
}

/* ---- the beginning ---- */

static bool take_recipients(struct job *job, const struct strs *list)
{
	struct str s;
	size_t at = 0;

	if (list->n == 0 || list->n > TRANSFER_RECIPIENTS_MAX)
		return false;
	job->recipients = arena_array(&job->arena, list->n, sizeof(*job->recipients));
	while (strs_next(list, &at, &s))
		job->recipients[job->n++] = (struct recipient){ .address = arena_str(&job->arena, s) };
	return true;
}

/* No line end may come from an address into the dialogue, whoever gave it to qmgr. */
static bool address_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n < 900;
}

static bool addresses_ok(const struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (!address_ok(job->recipients[i].address) || job->recipients[i].address.n == 0)
			return false;
	return address_ok(job->m.sender);
}

static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void job_start(struct smtp *smtp, struct channel *ch, uint32_t serial, struct transfer *m)
{
	struct job *job = calloc(1, sizeof(*job));

	ASSERT(job);
	*job = (struct job){ .next = smtp->jobs, .prev = &smtp->jobs, .smtp = smtp, .from = ch, .serial = serial, .m = *m };
	if (job->next)
		job->next->prev = &job->next;
	smtp->jobs = job;
	job->content = fd_take(&m->content);
	job->lmtp = str_eq(m->transport, STR("lmtp"));
	job->m.transport = arena_str(&job->arena, m->transport);
	job->m.nexthop = arena_str(&job->arena, m->nexthop);
	job->m.sender = arena_str(&job->arena, m->sender);
	if (!take_recipients(job, &m->recipients) || !is_file(job->content) || !addresses_ok(job)) {
		channel_break(ch, "a transfer that makes no sense");
		job_free(job);
		return;
	}
	if (!take_nexthop(job)) {
		job->reached = true;
		job_settle(job, FATE_LATER, "4.3.5", "'%.*s' is no next hop", STR_ARG(job->m.nexthop));
		answer(job);
		return;
	}
	struct remote_policy q = { .transport = job->m.transport, .nexthop = job->m.nexthop, .host = job->domain, .sender = job->m.sender };
	channel_call(run_server(smtp->run, "lookupd"), &remote_policy_schema, &q, &remote_policy_answer_schema, LOOKUPD_MS, &job->call, on_policy, job);
}

void job_forget(struct smtp *smtp, const struct channel *ch)
{
	for (struct job *job = smtp->jobs; job; job = job->next)
		if (job->from == ch)
			job->from = NULL;
}
