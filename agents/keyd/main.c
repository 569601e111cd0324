/* keyd - holds the private keys of TLS and signs handshakes with them. See keyd.8. */
#include <stdlib.h>

#include "conf.h"
#include "keys.h"

static const struct key *find_key(struct channel *ch, uint32_t number)
{
	const struct run *run = ch->arg;
	const struct keys *keys = run->state;

	return number < keys->n ? &keys->all[number] : NULL;
}

static void on_key_chain(struct channel *ch, uint32_t serial, void *message)
{
	const struct key *key = find_key(ch, ((struct key_chain *)message)->number);
	struct key_chain_answer answer = { .found = key != NULL };

	if (key)
		answer.pem = buf_str(&key->chain);
	channel_answer(ch, serial, &key_chain_answer_schema, &answer);
}

static void on_key_sign(struct channel *ch, uint32_t serial, void *message)
{
	const struct key_sign *question = message;
	const struct key *key = find_key(ch, question->number);
	scoped_buf struct buf content = { 0 }, signature = { 0 };
	const struct scheme *scheme = key ? sign_content(question, key->kind, &content) : NULL;
	struct key_sign_answer answer = { .ok = scheme && key_signature(key, scheme, buf_str(&content), &signature) };

	answer.signature = buf_str(&signature);
	channel_answer(ch, serial, &key_sign_answer_schema, &answer);
}

static const struct ipc_handler handlers[] = {
	{ &key_chain_schema, on_key_chain },
	{ &key_sign_schema, on_key_sign },
};

static const struct daemon_client clients[] = {
	{ .daemon = "smtpd", .handlers = handlers, .n_handlers = COUNT(handlers) },
	{ .daemon = "pop3d", .handlers = handlers, .n_handlers = COUNT(handlers) },
	{ .daemon = "imapd", .handlers = handlers, .n_handlers = COUNT(handlers) },
};

/* Still as root: the key files need be readable for nobody else. */
static bool prepare(struct run *run, struct err *err)
{
	const struct keyd_conf *conf = run->conf;
	struct keys *keys = calloc(1, sizeof(*keys));

	if (!keys)
		return err_set(err, "out of memory");
	run->state = keys;
	keys_read(run, conf->tls_cert_file, conf->tls_key_file, keys);
	run_forget_folders(run);
	return true;
}

static const struct daemon keyd = {
	.name = "keyd",
	.params = keyd_params,
	.n_params = &keyd_params_n,
	.conf_size = sizeof(struct keyd_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
};

int main(int argc, char **argv)
{
	return daemon_run(&keyd, argc, argv);
}
