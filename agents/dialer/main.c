/*
 * dialer - connects to unix sockets of other programs and hands the connection on: it sees paths, which those who speak over the
 * connection do not, and no mail. See dialer.8.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf.h"
#include "io/fd.h"
#include "ipc/messages.h"
#include "proc/daemon.h"

static bool is_listed(struct str list, struct str path)
{
	struct str item;

	while (conf_list_next(&list, &item))
		if (str_eq(item, path))
			return true;
	return false;
}

/* At once or not at all: a full backlog says EAGAIN. */
static int dial(struct str path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (path.n >= sizeof(to.sun_path))
		return errno = ENAMETOOLONG, -1;
	memcpy(to.sun_path, path.p, path.n);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return fd_take(&fd);
}

static void on_dial(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = ch->arg;
	const struct dialer_conf *conf = run->conf;
	const struct dial *m = message;

	if (m->path.n == 0 || m->path.p[0] != '/' || !is_listed(conf->unix_sockets, m->path)) {
		channel_break(ch, "a socket that unix_sockets does not list");
		return;
	}
	scoped_fd int fd = dial(m->path);
	struct dialed a = { .socket = fd };
	if (fd < 0)
		a.text = str_from(errno == EAGAIN ? "the program is too busy" : strerror(errno));
	channel_answer(ch, serial, &dialed_schema, &a);
}

static const struct ipc_handler handlers[] = { { &dial_schema, on_dial } };
static const struct daemon_client clients[] = { { "smtp", handlers, COUNT(handlers), NULL, NULL } };

static const struct daemon dialer = {
	.name = "dialer",
	.params = dialer_params,
	.n_params = &dialer_params_n,
	.conf_size = sizeof(struct dialer_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
};

int main(int argc, char **argv)
{
	return daemon_run(&dialer, argc, argv);
}
