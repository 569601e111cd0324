#include "keys/keys.h"

#include "base/time.h"

enum { ASK_MS = 10000, SIGN_MS = 5000, AGAIN_MS = 500, TRIES_MOST = 20 };

static bool sign(void *arg, const struct key_sign *question, struct buf *signature)
{
	struct keys *k = arg;
	scoped_buf struct buf frame = { 0 };
	struct key_sign_answer a;

	return run_ask(k->run, "keyd", &key_sign_schema, question, &key_sign_answer_schema, SIGN_MS, &frame, &a) && a.ok &&
	       buf_add(signature, a.signature);
}

/* False: keyd does not answer. No certificate at all is an answer: *out is NULL then. */
static bool fetch(struct keys *k, int64_t ms, struct tls_server **out, struct err *err)
{
	scoped_arena struct arena tmp = { 0 };
	struct str chains[TLS_CHAINS_MAX];
	struct tls_server_facts facts = { .chains = chains, .protocol = k->protocol, .min_version = k->min_version, .sign = sign, .arg = k };
	struct key_chain_answer a = { .found = true };

	*out = NULL;
	while (a.found && facts.n_chains < TLS_CHAINS_MAX) {
		scoped_buf struct buf frame = { 0 };
		struct key_chain q = { .number = (uint32_t)facts.n_chains };
		if (!run_ask(k->run, "keyd", &key_chain_schema, &q, &key_chain_answer_schema, ms, &frame, &a))
			return err_set(err, "keyd does not answer");
		if (a.found)
			chains[facts.n_chains++] = arena_str(&tmp, a.pem);
	}
	if (facts.n_chains == 0) {
		log_line(&k->run->log, LOG_WARNING, "warning: no usable certificate (tls_cert_file, tls_key_file): TLS is not offered");
		return true;
	}
	*out = tls_server_new(&facts, err);
	return *out != NULL;
}

static bool answers(struct keys *k)
{
	scoped_buf struct buf frame = { 0 };
	struct key_chain_answer a;

	return run_ask(k->run, "keyd", &key_chain_schema, &(struct key_chain){ 0 }, &key_chain_answer_schema, ASK_MS,
		       &frame, &a);
}

bool keys_begin(struct keys *k, struct run *run, const char *protocol, enum tls_version min_version, struct err *err)
{
	*k = (struct keys){ .run = run, .protocol = protocol, .min_version = min_version };
	/* after a death of keyd master tells of a new one */
	for (int64_t until = clock_mono_ms() + ASK_MS; !answers(k) && clock_mono_ms() < until;)
		loop_once(run->loop, AGAIN_MS);
	return fetch(k, ASK_MS, &k->server, err);
}

static void try_again(void *arg)
{
	struct keys *k = arg;
	struct tls_server *fresh;
	struct err err = { 0 };

	if (fetch(k, AGAIN_MS, &fresh, &err)) {
		tls_server_free(k->server);
		k->server = fresh;
		return;
	}
	if (++k->tries < TRIES_MOST)
		timer_set(&k->again, k->run->loop, AGAIN_MS, try_again, k);
	else
		log_line(&k->run->log, LOG_ERROR, "error: certificates are not renewed, the old ones serve on: %s", err.text);
}

void keys_reload(struct keys *k, enum tls_version min_version)
{
	k->min_version = min_version;
	k->tries = 0;
	/* keyd is restarted by the same reload: give it a moment before it is asked. */
	timer_set(&k->again, k->run->loop, AGAIN_MS, try_again, k);
}
