#include "mail/trace.h"

#include "base/utf8.h"

static bool is_clean(struct str s)
{
	if (s.n > TRACE_VALUE_MAX || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* Adds all parts, or nothing. */
static bool add_parts(const struct str *parts, size_t n, struct buf *out)
{
	size_t before = out->n;

	for (size_t i = 0; i < n; i++) {
		if (!buf_add(out, parts[i])) {
			out->n = before;
			return false;
		}
	}
	return true;
}

/* ADD(out, STR("name: "), value, STR("\n")) */
#define ADD(out, ...) add_parts((const struct str[]){ __VA_ARGS__ }, COUNT(((const struct str[]){ __VA_ARGS__ })), out)

/* In a comment '(', ')' and '\' would end it or open another (RFC 5322, 3.2.2). */
static bool add_comment_text(struct str s, struct buf *out)
{
	bool ok = true;

	for (size_t i = 0; ok && i < s.n; i++) {
		if (s.p[i] == '(' || s.p[i] == ')' || s.p[i] == '\\')
			ok = buf_addc(out, '\\');
		ok = ok && buf_addc(out, s.p[i]);
	}
	return ok;
}

static bool add_from(const struct trace_received *t, struct buf *out)
{
	struct str name = t->client_name.n ? t->client_name : STR("unknown");
	struct str tag = str_find(t->client_address, ':') >= 0 ? STR("IPv6:") : STR("");

	return ADD(out, STR("from "), t->helo, STR(" (")) && add_comment_text(name, out) &&
	       ADD(out, STR(" ["), tag, t->client_address, STR("])\n\t"));
}

static bool add_tls(const struct trace_received *t, struct buf *out)
{
	return ADD(out, STR("(using "), t->tls_protocol, STR(" with cipher "), t->cipher) &&
	       buf_addf(out, " (%u/%u bits))\n\t", t->bits, t->bits_most);
}

static bool add_login(struct str login, struct buf *out)
{
	return buf_add(out, STR("(Authenticated sender: ")) && add_comment_text(login, out) &&
	       buf_add(out, STR(")\n\t"));
}

static bool add_by(const struct trace_received *t, struct buf *out)
{
	return ADD(out, STR("by "), t->host, STR(" (Tayori)")) &&
	       (t->protocol.n == 0 || ADD(out, STR(" with "), t->protocol)) && ADD(out, STR(" id "), t->queue_id) &&
	       (t->rcpt.n == 0 || ADD(out, STR("\n\tfor <"), t->rcpt, STR(">"))) &&
	       ADD(out, STR("; "), t->date, STR("\n"));
}

bool trace_received(const struct trace_received *t, struct buf *out)
{
	const struct str values[] = { t->helo, t->client_name, t->client_address, t->tls_protocol, t->cipher, t->login,
				      t->host, t->protocol,    t->queue_id,	  t->rcpt,	   t->date };
	size_t before = out->n;

	for (size_t i = 0; i < COUNT(values); i++)
		if (!is_clean(values[i]))
			return false;
	bool ok = buf_add(out, STR("Received: ")) && (t->helo.n == 0 || add_from(t, out)) &&
		  (t->tls_protocol.n == 0 || add_tls(t, out)) && (t->login.n == 0 || add_login(t->login, out)) &&
		  add_by(t, out);
	if (!ok)
		out->n = before;
	return ok;
}

bool trace_return_path(struct str sender, struct buf *out)
{
	return is_clean(sender) && ADD(out, STR("Return-Path: <"), sender, STR(">\n"));
}

bool trace_delivered_to(struct str rcpt, struct buf *out)
{
	return is_clean(rcpt) && ADD(out, STR("Delivered-To: "), rcpt, STR("\n"));
}

bool trace_original_to(struct str rcpt, struct buf *out)
{
	return is_clean(rcpt) && ADD(out, STR("X-Original-To: "), rcpt, STR("\n"));
}

bool trace_message_id(struct str left, struct str host, struct buf *out)
{
	return is_clean(left) && is_clean(host) && ADD(out, STR("Message-ID: <"), left, STR("@"), host, STR(">\n"));
}

bool trace_date(struct str date, struct buf *out)
{
	return is_clean(date) && ADD(out, STR("Date: "), date, STR("\n"));
}
