#include "io/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "io/fd.h"
#include "unit.h"

static int port_of(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t n = sizeof(at);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					      : ((struct sockaddr_in *)&at)->sin_port);
}

START_TEST(tcp)
{
	struct err err = { 0 };
	int fds[4], more[4];
	size_t n = 0, n2 = 0;
	char port[8];

	ck_assert(!listen_tcp("no such host", "0", AF_UNSPEC, fds, 4, &n, &err) && n == 0);
	ck_assert(!listen_tcp("127.0.0.1", "no-such-port", AF_UNSPEC, fds, 4, &n, &err) && n == 0);
	ck_assert(!listen_tcp("192.0.2.1", "0", AF_UNSPEC, fds, 4, &n, &err) && n == 0); /* not of this machine */
	ck_assert(!listen_tcp("127.0.0.1", "0", AF_INET6, fds, 4, &n, &err) && n == 0);
	ck_assert(listen_tcp("127.0.0.1", "0", AF_INET, fds, 4, &n, &err));
	ck_assert_uint_eq(n, 1);
	snprintf(port, sizeof(port), "%d", port_of(fds[0]));
	ck_assert(!listen_tcp("127.0.0.1", port, AF_UNSPEC, more, 4, &n2, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "cannot listen on 127.0.0.1:"));
	ck_assert(!listen_tcp("127.0.0.1", "0", AF_UNSPEC, fds, 0, &n2, &err) && n2 == 0); /* no room */
	fd_close(&fds[0]);
}
END_TEST

START_TEST(named)
{
	char path[] = "/tmp/tayori-listen.XXXXXX";
	struct err err = { 0 };
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(path));
	int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int first = listen_unix(folder, "door", SOCK_STREAM, 0600, &err);
	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(fstatat(folder, "door", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	int second =
		listen_unix(folder, "door", SOCK_STREAM, 0666, &err); /* takes the place of one that is left over */
	ck_assert_int_ge(second, 0);
	ck_assert_int_eq(fstatat(folder, "door", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(mkdirat(folder, "taken", 0700), 0);
	ck_assert_int_lt(listen_unix(folder, "taken", SOCK_STREAM, 0600, &err), 0);
	unlinkat(folder, "door", 0);
	unlinkat(folder, "taken", AT_REMOVEDIR);
	rmdir(path);
	fd_close(&first);
	fd_close(&second);
	fd_close(&folder);
}
END_TEST

TEST_MAIN("listen", tcase_add_test(tc, tcp); tcase_add_test(tc, named))
