/*
 * The dialogue (RFC 5321, 3 and 4): what each answer means, and what is said next.
 *
 * An answer that comes before its question, or of a kind that the question does not have, makes all that follows doubtful: the
 * connection ends, and what it did not decide waits. Nobody's mail is returned for such nonsense.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "smtp/remote_inner.h"

__attribute__((format(printf, 2, 3))) static void say(struct remote *r, const char *format, ...)
{
	scoped_buf struct buf line = { 0 };
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&line, format, ap);
	va_end(ap);
	buf_add(&line, STR("\r\n"));
	stream_write(&r->stream, buf_str(&line));
}

static unsigned class_of(const struct remote *r)
{
	return (unsigned)r->reply.code / 100;
}

static void nonsense(struct remote *r)
{
	remote_fail(r, "host %s said what makes no sense: %s (in reply to %s)", r->name, r->reply.text[0] ? r->reply.text : "?", step_names[r->step]);
}

static void refused(struct remote *r, const char *what)
{
	remote_fail(r, "host %s %s: %s", r->name, what, r->reply.text);
}

/* ---- what came of recipients ---- */

static const char *status_of(const struct remote *r)
{
	static const char *const general[] = { "2.0.0", "2.0.0", "2.0.0", "4.0.0", "4.0.0", "5.0.0" };

	return r->reply.status[0] ? r->reply.status : general[class_of(r)];
}

/* "Too many recipients" is no word about this one (RFC 5321, 4.5.3.1.10). */
static enum fate fate_of(const struct remote *r)
{
	bool too_many = r->reply.code == 552 && (r->step == STEP_RCPT || strcmp(r->reply.status, "5.5.3") == 0);

	if (class_of(r) == 2)
		return FATE_SENT;
	return class_of(r) == 5 && !too_many ? FATE_NEVER : FATE_LATER;
}

static void settle(struct remote *r, struct recipient *to)
{
	char text[sizeof(r->reply.text) + sizeof(r->name) + 80];
	enum fate fate = fate_of(r);
	char host[sizeof(r->name)];

	snprintf(host, sizeof(host), "%s", r->name);
	char *end = strrchr(host, ']');
	if (end) /* the port is not what people look for here */
		end[1] = '\0';
	if (fate == FATE_SENT)
		snprintf(text, sizeof(text), "%s", r->reply.text);
	else
		snprintf(text, sizeof(text), "host %s said: %s (in reply to %s command)", host, r->reply.text, step_names[r->step]);
	job_settle_one(r->job, to, fate, fate == FATE_LATER && class_of(r) == 5 ? "4.5.3" : status_of(r), text);
}

static void settle_all(struct remote *r, bool accepted_only)
{
	struct job *job = r->job;

	for (size_t i = 0; i < job->n; i++)
		if (job->recipients[i].fate == FATE_OPEN && (!accepted_only || job->recipients[i].accepted))
			settle(r, &job->recipients[i]);
}

/* ---- hello ---- */

static void say_hello(struct remote *r, const char *verb, enum step step)
{
	struct str name = smtp_conf(r->smtp)->smtp_helo_name;

	r->offers = 0;
	r->size_limit = 0;
	say(r, "%s %.*s", verb, STR_ARG(name));
	remote_expect(r, step);
}

static void on_greeting(struct remote *r)
{
	if (class_of(r) != 2)
		refused(r, "refused to talk to me");
	else
		say_hello(r, r->lmtp ? "LHLO" : "EHLO", STEP_EHLO);
}

static void on_helo(struct remote *r)
{
	if (class_of(r) == 2) {
		r->offers = 0;
		talk_begin(r);
		return;
	}
	if (class_of(r) == 5)
		r->job->refused = true;
	refused(r, "refused to talk to me");
}

/* ---- TLS ---- */

static void start_tls(struct remote *r)
{
	say(r, "STARTTLS");
	remote_expect(r, STEP_STARTTLS);
}

enum { NAMES_MAX = 16 };

/*
 * verify: the name of the host, as the DNS gave it. secure: the domain of the next hop, or a name below it, which no answer of
 * the DNS can change.
 */
static void names_for(struct job *job, const char *host, const char *names[NAMES_MAX + 1])
{
	struct str rest = job->match, item;
	size_t n = 0;

	while (n < NAMES_MAX && rest.n > 0) {
		item = str_cut(&rest, ' ');
		if (item.n == 0)
			continue;
		if (str_eq(item, STR("hostname"))) {
			names[n++] = host;
		} else if (str_eq(item, STR("nexthop")) || str_eq(item, STR("dot-nexthop"))) {
			struct str domain = job->exchange.domain;
			names[n++] = arena_printf(&job->arena, "%s%.*s", item.p[0] == 'd' ? "." : "", STR_ARG(domain));
		} else {
			names[n++] = arena_str(&job->arena, item).p;
		}
	}
	if (n == 0 && job->tls == TLS_LEVEL_SECURE) {
		names[n++] = arena_str(&job->arena, job->exchange.domain).p;
		names[n++] = arena_printf(&job->arena, ".%.*s", STR_ARG(job->exchange.domain));
	} else if (n == 0) {
		names[n++] = host;
	}
	names[n] = NULL;
}

static void on_starttls(struct remote *r)
{
	const char *names[NAMES_MAX + 1];
	struct err err = { 0 };

	if (class_of(r) != 2) {
		if (r->job->tls == TLS_LEVEL_MAY)
			talk_begin(r);
		else
			refused(r, "refused STARTTLS");
		return;
	}
	/* said in clear, meant to be heard after the handshake (RFC 3207, 4.2) */
	if (r->extra > 0) {
		remote_fail(r, "host %s sent something behind its answer to STARTTLS", r->name);
		return;
	}
	names_for(r->job, r->host, names);
	struct tls_want want = { .name = ascii_digit(r->host[0]) || strchr(r->host, ':') ? NULL : r->host,
				 .verify = r->job->tls >= TLS_LEVEL_VERIFY,
				 .match = names };
	if (!tls_connect(r->smtp->tls, &r->stream, &want, &err)) {
		remote_fail(r, "Cannot start TLS with %s: %s", r->name, err.text);
		return;
	}
	r->tls = true;
	say_hello(r, r->lmtp ? "LHLO" : "EHLO", STEP_EHLO); /* the handshake begins with us */
	r->step = STEP_TLS;
}

/* ---- logins ---- */

static void say_base64(struct remote *r, const char *before, struct str bytes)
{
	scoped_buf struct buf line = { 0 };

	buf_add(&line, str_from(before));
	base64_encode(bytes, &line);
	buf_add(&line, STR("\r\n"));
	stream_write(&r->stream, buf_str(&line));
	explicit_bzero(line.p, line.n);
}

static void start_auth(struct remote *r)
{
	const struct job *job = r->job;
	scoped_buf struct buf plain = { 0 };

	r->mechanism_step = 0;
	/* a password in clear is for nobody on the way */
	if (r->tls && r->offers & OFFER_AUTH_PLAIN) {
		r->mechanism = OFFER_AUTH_PLAIN;
		buf_addc(&plain, 0);
		buf_add(&plain, job->user);
		buf_addc(&plain, 0);
		buf_add(&plain, job->password);
		say_base64(r, "AUTH PLAIN ", buf_str(&plain));
		explicit_bzero(plain.p, plain.n);
	} else if (r->tls && r->offers & OFFER_AUTH_LOGIN) {
		r->mechanism = OFFER_AUTH_LOGIN;
		say(r, "AUTH LOGIN");
	} else if (r->offers & OFFER_AUTH_CRAM_MD5) {
		r->mechanism = OFFER_AUTH_CRAM_MD5;
		say(r, "AUTH CRAM-MD5");
	} else {
		remote_fail(r, "SASL authentication failed: host %s offers no mechanism that can be used%s", r->name, r->tls ? "" : " without TLS");
		return;
	}
	remote_expect(r, STEP_AUTH);
}

/* "user" and the keyed hash of the challenge (RFC 2195). */
static bool answer_cram(struct remote *r, struct str challenge64)
{
	const struct job *job = r->job;
	scoped_buf struct buf challenge = { .limit = 1024 }, answer = { 0 };
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!base64_decode(challenge64, &challenge) ||
	    !HMAC(EVP_md5(), job->password.p, (int)job->password.n, (const unsigned char *)challenge.p, challenge.n, mac, &n))
		return false;
	buf_addf(&answer, "%.*s ", STR_ARG(job->user));
	for (unsigned i = 0; i < n; i++)
		buf_addf(&answer, "%02x", mac[i]);
	say_base64(r, "", buf_str(&answer));
	return true;
}

static void on_auth(struct remote *r)
{
	unsigned step = r->mechanism_step++;
	const struct job *job = r->job;

	if (class_of(r) == 2) {
		r->logged_in = true;
		talk_begin(r);
		return;
	}
	if (r->reply.code == 334 && r->mechanism == OFFER_AUTH_LOGIN && step < 2) {
		say_base64(r, "", step == 0 ? job->user : job->password);
		remote_expect(r, STEP_AUTH);
		return;
	}
	if (r->reply.code == 334 && r->mechanism == OFFER_AUTH_CRAM_MD5 && step == 0 && answer_cram(r, str_skip(str_from(r->reply.text), 4))) {
		remote_expect(r, STEP_AUTH);
		return;
	}
	remote_fail(r, "SASL authentication failed; server %s said: %s", r->name, r->reply.text);
}

static void on_ehlo(struct remote *r)
{
	const struct job *job = r->job;

	if (class_of(r) == 5 && !r->lmtp && !r->tls) {
		say_hello(r, "HELO", STEP_HELO);
		return;
	}
	if (class_of(r) != 2) {
		refused(r, "refused to talk to me");
		return;
	}
	r->offers |= OFFER_ESMTP;
	if (!r->tls && job->tls != TLS_LEVEL_NONE && r->offers & OFFER_STARTTLS)
		start_tls(r);
	else if (!r->tls && job->tls >= TLS_LEVEL_ENCRYPT)
		remote_fail(r, "TLS is required, but was not offered by host %s", r->name);
	else
		talk_begin(r);
}

/* ---- a transaction ---- */

static void say_mail(struct remote *r)
{
	const struct transfer *m = &r->job->m;
	char size[40] = "";

	if (r->offers & OFFER_SIZE)
		snprintf(size, sizeof(size), " SIZE=%llu", (unsigned long long)m->size);
	say(r, "MAIL FROM:<%.*s>%s%s%s", STR_ARG(m->sender), size, m->flags & MAIL_8BIT && r->offers & OFFER_8BITMIME ? " BODY=8BITMIME" : "",
	    m->flags & MAIL_UTF8 ? " SMTPUTF8" : "");
}

/* The next recipient to be asked about, from r->at on; n when there is none. */
static size_t next_open(const struct remote *r, size_t at)
{
	while (at < r->job->n && r->job->recipients[at].fate != FATE_OPEN)
		at++;
	return at;
}

static void say_rcpt(struct remote *r, size_t i)
{
	r->job->recipients[i].asked = true;
	say(r, "RCPT TO:<%.*s>", STR_ARG(r->job->recipients[i].address));
}

static void say_envelope(struct remote *r)
{
	say_mail(r);
	for (size_t i = next_open(r, 0); i < r->job->n; i = next_open(r, i + 1))
		say_rcpt(r, i);
	say(r, "DATA");
}

/* What this host cannot take at all. */
static bool cannot_take(struct remote *r)
{
	struct job *job = r->job;

	if (job->m.flags & MAIL_UTF8 && !(r->offers & OFFER_SMTPUTF8))
		job_settle(job, FATE_NEVER, "5.6.7", "SMTPUTF8 is required, but was not offered by host %s", r->name);
	else if (r->offers & OFFER_SIZE && r->size_limit > 0 && job->m.size > r->size_limit)
		job_settle(job, FATE_NEVER, "5.3.4", "message size %llu exceeds size limit %llu of server %s", (unsigned long long)job->m.size,
			   (unsigned long long)r->size_limit, r->name);
	else
		return false;
	job->reached = true;
	remote_done(r);
	return true;
}

void talk_begin(struct remote *r)
{
	struct job *job = r->job;

	if (job->user.n > 0 && !r->logged_in) {
		start_auth(r);
		return;
	}
	if (cannot_take(r))
		return;
	job->reached = true;
	for (size_t i = 0; i < job->n; i++)
		job->recipients[i].asked = job->recipients[i].accepted = false;
	r->at = r->accepted = r->dots = 0;
	r->mail_failed = r->whole = false;
	r->pipelined = r->offers & OFFER_PIPELINING;
	if (r->need_rset)
		say(r, "RSET");
	if (r->pipelined)
		say_envelope(r);
	else if (!r->need_rset)
		say_mail(r);
	remote_expect(r, r->need_rset ? STEP_RSET : STEP_MAIL);
	r->need_rset = false;
}

static void on_rset(struct remote *r)
{
	if (class_of(r) != 2) {
		refused(r, "refused RSET");
		return;
	}
	if (!r->pipelined)
		say_mail(r);
	remote_expect(r, STEP_MAIL);
}

/* The transaction ends without a message. */
static void abandon(struct remote *r)
{
	r->need_rset = true;
	remote_done(r);
}

static void ask_next(struct remote *r)
{
	r->at = next_open(r, r->at);
	if (r->at < r->job->n) {
		if (!r->pipelined)
			say_rcpt(r, r->at);
		remote_expect(r, STEP_RCPT);
	} else if (r->pipelined || r->accepted > 0) {
		if (!r->pipelined)
			say(r, "DATA");
		remote_expect(r, STEP_DATA);
	} else {
		abandon(r);
	}
}

/* Of a pipelined envelope: the answers to recipients that were asked about come although the sender was refused. */
static void next_asked(struct remote *r)
{
	while (r->at < r->job->n && !r->job->recipients[r->at].asked)
		r->at++;
	remote_expect(r, r->at < r->job->n ? STEP_RCPT : STEP_DATA);
}

static void on_mail(struct remote *r)
{
	if (class_of(r) == 3) {
		nonsense(r);
	} else if (class_of(r) == 2) {
		ask_next(r);
	} else {
		settle_all(r, false);
		r->mail_failed = true;
		r->at = 0;
		if (r->pipelined)
			next_asked(r);
		else
			abandon(r);
	}
}

static void on_rcpt(struct remote *r)
{
	struct recipient *to = &r->job->recipients[r->at++];

	if (r->mail_failed) {
		next_asked(r);
		return;
	}
	if (class_of(r) == 3) {
		nonsense(r);
		return;
	}
	to->accepted = class_of(r) == 2;
	r->accepted += to->accepted;
	if (!to->accepted)
		settle(r, to);
	ask_next(r);
}

static void on_data(struct remote *r)
{
	if (class_of(r) == 2) {
		nonsense(r);
		return;
	}
	if (class_of(r) == 3 && r->accepted > 0 && !r->mail_failed) {
		content_start(r);
		return;
	}
	if (class_of(r) == 3) { /* nobody wants it, and yet it is waited for (RFC 2920, 3.1) */
		say(r, ".");
		r->dots = 1;
		remote_expect(r, STEP_DOT);
		return;
	}
	if (r->accepted > 0)
		settle_all(r, true);
	abandon(r);
}

static void on_dot(struct remote *r)
{
	struct job *job = r->job;

	r->dots--;
	if (class_of(r) == 3) {
		nonsense(r);
		return;
	}
	if (r->accepted > 0 && r->lmtp) { /* an answer for each (RFC 2033, 4.2) */
		while (r->at < job->n && !job->recipients[r->at].accepted)
			r->at++;
		if (r->at < job->n)
			settle(r, &job->recipients[r->at++]);
	} else if (r->accepted > 0) {
		settle_all(r, true);
	}
	if (r->dots > 0) {
		remote_expect(r, STEP_DOT);
		return;
	}
	r->whole = false;
	remote_done(r);
}

static void (*const answers[STEPS])(struct remote *r) = {
	[STEP_GREETING] = on_greeting, [STEP_EHLO] = on_ehlo, [STEP_HELO] = on_helo, [STEP_STARTTLS] = on_starttls, [STEP_AUTH] = on_auth,
	[STEP_RSET] = on_rset,	       [STEP_MAIL] = on_mail, [STEP_RCPT] = on_rcpt, [STEP_DATA] = on_data,	     [STEP_DOT] = on_dot,
};

/* Is another answer due before we say anything? */
static bool more_is_due(const struct remote *r)
{
	if (r->step == STEP_DOT)
		return r->dots > 1;
	return r->pipelined && (r->step == STEP_RSET || r->step == STEP_MAIL || r->step == STEP_RCPT);
}

/* While the message goes out: a server that has heard enough may say no and hang up; it cannot say yes yet. */
static void on_early(struct remote *r)
{
	if (class_of(r) < 4) {
		nonsense(r);
		return;
	}
	settle_all(r, true);
	r->whole = false;
	remote_fail(r, "host %s ended the message early: %s", r->name, r->reply.text);
}

void talk_line(struct remote *r, struct str line)
{
	struct str all = stream_input(&r->stream);
	size_t behind = (size_t)(all.p + all.n - (line.p + line.n));

	r->extra = behind > 2 ? behind - 2 : 0;
	if (r->step == STEP_TLS)
		remote_tls_done(r);
	enum remote_line got = remote_take(&r->reply, line);
	if (got == REMOTE_NONSENSE) {
		nonsense(r);
		return;
	}
	if (r->step == STEP_EHLO && r->reply.lines > 1)
		remote_offer(str_skip(line, 4), &r->offers, &r->size_limit);
	if (got == REMOTE_MORE)
		return;
	if (r->step == STEP_QUIT || r->step == STEP_IDLE || !r->job) {
		remote_fail(r, "goodbye");
		return;
	}
	if (r->step == STEP_CONTENT) {
		on_early(r);
		return;
	}
	if (!answers[r->step]) {
		nonsense(r);
		return;
	}
	if (r->reply.code == 421)
		r->spoilt = true;
	if (r->extra > 0 && !more_is_due(r)) {
		r->spoilt = true;
		/* an answer too many: whose was the one before? Only the last word about a message is still believed. */
		if (r->step != STEP_DOT && r->step != STEP_STARTTLS) {
			nonsense(r);
			return;
		}
	}
	answers[r->step](r);
	r->reply = (struct remote_reply){ 0 };
}
