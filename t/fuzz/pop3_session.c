/* A whole POP3 session after the login: the input is what the client sends; the mailbox holds two messages. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "pop3d/session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int home, const char *name, const char *text)
{
	scoped_fd int fd = openat(home, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, str_from(text)) < 0)
		abort();
}

/* Made anew when a session has removed them. */
static int make_home(void)
{
	static char path[] = "/dev/shm/tayori-pop3.XXXXXX";
	static int home = -1;

	if (home < 0) {
		if (!mkdtemp(path) || (home = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			abort();
		mkdirat(home, "tmp", 0700);
		mkdirat(home, "new", 0700);
		mkdirat(home, "cur", 0700);
	}
	if (faccessat(home, "cur/1.a.h:2,", F_OK, 0) < 0)
		put(home, "new/1.a.h", "Subject: one\n\n.dot\nline\n");
	if (faccessat(home, "cur/2.b.h:2,", F_OK, 0) < 0)
		put(home, "new/2.b.h", "no header\n\nend without line end");
	return home;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	int big = 1 << 20;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	struct timeval now = { 0, 1000 }; /* a client that does not read is not waited for */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &now, sizeof(now));
	size_t early = size > 0 ? data[0] % size : 0; /* what came before the hand-over */
	(void)!send(pair[1], data + early, size - early > 60000 ? 60000 : size - early, MSG_DONTWAIT);
	shutdown(pair[1], SHUT_WR);
	session_run(pair[0], str_of(data, early), make_home());
	close(pair[0]);
	close(pair[1]);
	return 0;
}
