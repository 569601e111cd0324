#include "lookupd.h"

enum { LOOKUPD_MS = 20000 };

static bool take_status(struct str status, uint8_t enh[3])
{
	for (size_t i = 0; i < 3; i++) {
		uint64_t v;
		if (!str_u64(str_cut(&status, '.'), 255, &v))
			return false;
		enh[i] = (uint8_t)v;
	}
	return status.n == 0;
}

struct reply lookupd_reply(uint16_t code, struct str status, struct str text)
{
	struct reply r = reply_make(code, 0, 0, 0, "%.*s", STR_ARG(text));

	if (code < 200 || code > 599 || !take_status(status, r.enh))
		return REPLY(451, 4, 3, 0, "Error: address lookup failed, try again later");
	return r;
}

static void on_verdict(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;
	const struct verdict *v = message;
	void (*then)(struct session *, struct reply) = s->then;

	/* It died over the question, or before it read it: its successor is asked, once. */
	if (result == CALL_BROKEN && s->ask_again) {
		void (*again)(struct session *) = s->ask_again;
		s->ask_again = NULL;
		again(s);
		return;
	}
	s->then = NULL;
	if (result == CALL_OK)
		then(s, lookupd_reply(v->code, v->status, v->text));
	else
		then(s, REPLY(451, 4, 3, 0, "Error: address lookup failed, try again later"));
}

static void ask(struct session *s, const struct ipc_schema *schema, const void *m)
{
	session_busy(s);
	channel_call(run_server(s->smtpd->run, "lookupd"), schema, m, &verdict_schema, LOOKUPD_MS, &s->call, on_verdict,
		     s);
}

static void ask_sender(struct session *s)
{
	struct check_sender m = { .client = str_from(s->address),
				  .login = str_from(s->login),
				  .sender = s->mail->sender };

	ask(s, &check_sender_schema, &m);
}

static void ask_recipient(struct session *s)
{
	struct check_recipient m = { .client = str_from(s->address),
				     .login = str_from(s->login),
				     .sender = s->mail->sender,
				     .recipient = str_from(s->pending) };

	ask(s, &check_recipient_schema, &m);
}

void lookupd_sender(struct session *s, void (*then)(struct session *s, struct reply verdict))
{
	s->then = then;
	s->ask_again = ask_sender;
	ask_sender(s);
}

void lookupd_recipient(struct session *s, void (*then)(struct session *s, struct reply verdict))
{
	s->then = then;
	s->ask_again = ask_recipient;
	ask_recipient(s);
}
