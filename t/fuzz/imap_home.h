/* imap_home - a mailbox with a few messages, and whole IMAP sessions on it, for the fuzz targets that need one. */
#ifndef T_FUZZ_IMAP_HOME_H
#define T_FUZZ_IMAP_HOME_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imapd/session/session.h"
#include "io/fd.h"
#include "mail/text.h"

static char path[] = "/dev/shm/tayori-imap.XXXXXX";
static int home = -1;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(name);
}

static void remove_home(void)
{
	nftw(path, remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	scoped_fd int fd = openat(home, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, str_from(text)) < 0)
		abort();
}

static size_t count_files(const char *folder)
{
	int fd = openat(home, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;

	if (!d)
		abort();
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Messages are added when there are few, so that numbers mostly mean something. */
static void make_messages(void)
{
	if (count_files("cur") + count_files("new") >= 3)
		return;
	put("new/1.a.h", "Subject: one\nFrom: a <a@x.test>\n\nline\n");
	put("new/2.b.h", "no header\n\nend without line end");
	put("new/3.c.h",
	    "Content-Type: multipart/mixed; boundary=b\nDate: Tue, 1 Feb 1994 23:30:00 -0800\n\n--b\n\none\n"
	    "--b\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--b--\n");
}

static void make_home(void)
{
	if (home >= 0)
		return;
	text_preload();
	if (!mkdtemp(path) || (home = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	mkdirat(home, "tmp", 0700);
	mkdirat(home, "new", 0700);
	mkdirat(home, "cur", 0700);
	put("tayori-uidvalidity", "4000000000\n"); /* INBOX gets the next number: an input can name it */
	atexit(remove_home);
}

/* Folders that inputs have made do not pile up. */
static void drop_folders(void)
{
	static unsigned runs;
	char name[sizeof(path) + 300];
	int fd = runs++ % 64 == 0 ? openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] != '.' || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		nftw(name, remove_one, 20, FTW_DEPTH | FTW_PHYS);
	}
	if (d)
		closedir(d);
}

static struct imapsession_conf conf_of(struct arena *arena)
{
	struct imapsession_conf conf;
	struct str values[16];

	for (size_t i = 0; i < imapsession_params_n; i++)
		values[i] = str_from(imapsession_params[i].preset);
	if (!conf_fill(imapsession_params, imapsession_params_n, values, arena, &conf, NULL))
		abort();
	return conf;
}

/* Runs a session after the login, or with start->state the waking of one; `input` is what the client sends. */
static void run_session(struct session_start *start, struct str input)
{
	int pair[2], big = 1 << 20;
	struct timeval now = { 0, 1000 }; /* a client that does not read is not waited for */
	struct arena arena = { 0 };
	struct imapsession_conf conf = conf_of(&arena);

	make_home();
	drop_folders();
	make_messages();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &now, sizeof(now));
	(void)!send(pair[1], input.p, input.n > 60000 ? 60000 : input.n, MSG_DONTWAIT);
	shutdown(pair[1], SHUT_WR);
	start->fd = pair[0];
	start->parent = -1;
	start->home = home;
	start->conf = &conf;
	session_run(start);
	close(pair[0]);
	close(pair[1]);
	arena_free(&arena);
}

#endif
