#include "bounce.h"

#include "base/time.h"
#include "base/utf8.h"
#include "mail/header.h"

enum { VALUE_MAX = 400 }; /* of two on a line of at most 998 octets (RFC 5322, 2.1.1) */

/* A value from outside, on one line. */
static bool add_clean(struct buf *out, struct str s)
{
	s = str_head(s, VALUE_MAX);
	if (!buf_reserve(out, s.n))
		return false;
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
	return true;
}

static bool add_line(struct buf *out, const char *before, struct str value, const char *after)
{
	return buf_add(out, str_from(before)) && add_clean(out, value) && buf_add(out, str_from(after));
}

static bool add_boundary(const struct bounce *b, const char *end, struct buf *out)
{
	return add_line(out, "\n--", queue_id_str(&b->id), "/") && add_line(out, "", b->host, end);
}

static const struct {
	const char *subject, *words, *action;
} kinds[] = {
	[BOUNCE_FAILED] = { "Undelivered Mail Returned to Sender",
			    "Your message could not be delivered to one or more recipients.\n"
			    "What follows is what was said about each of them; your message, or its\n"
			    "headers, are attached.\n",
			    "failed" },
	[BOUNCE_DELAYED] = { "Delayed Mail (still being retried)",
			     "Your message could not be delivered yet to one or more recipients. It is\n"
			     "still being tried: YOU DO NOT NEED TO SEND IT AGAIN. What follows is what\n"
			     "was said about each of them last.\n",
			     "delayed" },
	[BOUNCE_DOUBLE] = { "Postmaster Copy: Undelivered Mail",
			    "A message without a sender could not be delivered.\n"
			    "What follows is what was said about each recipient.\n",
			    "failed" },
};

static bool is_told(const struct bounce *b, const struct env_recipient *r)
{
	return b->kind == BOUNCE_DELAYED ? env_open(r) : r->state == ENV_FAILED;
}

static bool add_head(const struct bounce *b, struct buf *out)
{
	return add_line(out, "Date: ", b->date, "\n") &&
	       add_line(out, "From: Mail Delivery System <MAILER-DAEMON@", b->host, ">\n") &&
	       add_line(out, "To: <", b->to, ">\n") &&
	       add_line(out, "Message-ID: <", queue_id_str(&b->id), "@") && add_line(out, "", b->host, ">\n") &&
	       add_line(out, "Subject: ", str_from(kinds[b->kind].subject), "\n") &&
	       buf_add(out, STR("Auto-Submitted: auto-replied\n"
				"MIME-Version: 1.0\n"
				"Content-Type: multipart/report; report-type=delivery-status;\n")) &&
	       add_line(out, "\tboundary=\"", queue_id_str(&b->id), "/") && add_line(out, "", b->host, "\"\n") &&
	       buf_add(out, STR("\nThis is a MIME-encapsulated message.\n"));
}

/* For people. */
static bool add_words(const struct bounce *b, struct buf *out)
{
	bool ok = add_boundary(b, "\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n",
			       out) &&
		  add_line(out, "This is the mail system at host ", b->host, ".\n\n") &&
		  buf_add(out, str_from(kinds[b->kind].words));

	for (uint32_t i = 0; ok && i < b->env->n; i++) {
		const struct env_recipient *r = &b->env->recipients[i];
		if (!is_told(b, r))
			continue;
		ok = add_line(out, "\n<", r->address, ">: ") && add_line(out, "", r->text, "\n");
	}
	return ok;
}

/* "host NAME[ADDRESS] said: WORDS" is what smtp makes of a remote's answer. */
static bool remote_words(struct str text, struct str *host, struct str *words)
{
	static const struct str said = STR(" said: ");

	if (!str_eat_word(&text, STR("host ")))
		return false;
	for (size_t i = 0; i + said.n <= text.n; i++)
		if (str_starts(str_skip(text, i), said)) {
			*words = str_skip(text, i + said.n);
			*host = str_head(text, i);
			*host = str_cut(host, '[');
			return true;
		}
	return false;
}

static bool add_status_of(const struct bounce *b, const struct env_recipient *r, struct buf *out)
{
	struct str host, words;
	char until[DATE_MAX];

	if (r->original.n > 0 && !add_line(out, "\nOriginal-Recipient: rfc822; ", r->original, ""))
		return false;
	bool ok = add_line(out, "\nFinal-Recipient: rfc822; ", r->address, "\nAction: ") &&
		  buf_add(out, str_from(kinds[b->kind].action)) && add_line(out, "\nStatus: ", r->status.n ? r->status : STR("4.0.0"), "\n");
	if (remote_words(r->text, &host, &words))
		ok = ok && add_line(out, "Remote-MTA: dns; ", host, "\n") && add_line(out, "Diagnostic-Code: smtp; ", words, "\n");
	else
		ok = ok && add_line(out, "Diagnostic-Code: X-Tayori; ", r->text, "\n");
	if (b->kind == BOUNCE_DELAYED)
		ok = ok && add_line(out, "Will-Retry-Until: ", str_of(until, date_rfc5322(b->until_us, until)), "\n");
	return ok;
}

/* For programs. */
static bool add_status(const struct bounce *b, struct buf *out)
{
	bool ok = add_boundary(b, "\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\n",
			       out) &&
		  add_line(out, "Reporting-MTA: dns; ", b->host, "\n");

	if (ok && b->env->envid.n > 0)
		ok = add_line(out, "Original-Envelope-Id: ", b->env->envid, "\n");
	ok = ok && add_line(out, "X-Tayori-Queue-ID: ", queue_id_str(&b->env->id), "\n") &&
	     add_line(out, "Arrival-Date: ", b->arrival_date, "\n");
	for (uint32_t i = 0; ok && i < b->env->n; i++)
		if (is_told(b, &b->env->recipients[i]))
			ok = add_status_of(b, &b->env->recipients[i], out);
	return ok;
}

/* Whole lines only. */
static struct str headers_of(struct str content)
{
	struct header_iter it = header_begin(str_head(content, BOUNCE_HEADERS_MAX));
	struct header_field field;

	while (header_next(&it, &field)) {}
	struct str head = str_head(content, it.at < BOUNCE_HEADERS_MAX ? it.at : BOUNCE_HEADERS_MAX);
	return str_head(head, (size_t)(str_rfind(head, '\n') + 1));
}

static bool add_message(const struct bounce *b, struct buf *out)
{
	const char *type = ascii_only(b->content) ? "\nContent-Description: Undelivered Message\nContent-Type: message/rfc822\n\n"
						  : "\nContent-Description: Undelivered Message\n"
						    "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n";

	return add_boundary(b, type, out) && buf_add(out, b->content);
}

static bool add_headers(const struct bounce *b, struct buf *out)
{
	struct str head = headers_of(b->content);
	const char *type = ascii_only(head) ? "\nContent-Description: Undelivered Message Headers\n"
					      "Content-Type: text/rfc822-headers\n\n"
					    : "\nContent-Description: Undelivered Message Headers\n"
					      "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\n";

	return add_boundary(b, type, out) && buf_add(out, head);
}

bool bounce_write(const struct bounce *b, struct buf *out)
{
	return add_head(b, out) && add_words(b, out) && add_status(b, out) &&
	       (b->whole ? add_message(b, out) : add_headers(b, out)) &&
	       add_boundary(b, "--\n", out);
}
