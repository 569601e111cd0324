/*
 * sendmail - hand over a message on standard input, as programs of this host do. It speaks LMTP's elder sister to a
 * socket of the suite, which knows the caller by its credentials; nothing here is privileged.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "ctl.h"
#include "io/fd.h"
#include "mail/header.h"
#include "recipients.h"

enum { MESSAGE_MAX = 1 << 30, PATIENCE_MS = 5000, AGAIN_MS = 50 };

struct letter {
	struct ctl *ctl;
	const char *sender, *full_name;
	bool from_headers, ignore_dots, verbose;
	char mode; /* of -b */
	struct strs recipients;
	struct buf recipients_raw, text;
	int fd;
	struct buf in; /* replies */
};

static void add_recipient(void *arg, struct str address)
{
	struct letter *l = arg;

	strs_add(&l->recipients_raw, &l->recipients, address);
}

/* Up to the end, or, unless dots are ignored, a line with only a dot. Line ends become LF. */
static int read_message(struct letter *l)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	l->text.limit = MESSAGE_MAX;
	while ((n = getline(&line, &room, stdin)) > 0) {
		struct str s = str_of(line, (size_t)n);
		bool ended = s.p[s.n - 1] == '\n';
		s.n -= ended;
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
		if (!l->ignore_dots && str_eq(s, STR(".")))
			break;
		if (!buf_add(&l->text, s) || !buf_addc(&l->text, '\n'))
			break;
	}
	free(line);
	return l->text.n >= MESSAGE_MAX ? ctl_fail(l->ctl, EX_DATAERR, "the message is too large") : 0;
}

static bool is_list_field(struct str name)
{
	return str_ieq(name, STR("To")) || str_ieq(name, STR("Cc")) || str_ieq(name, STR("Bcc"));
}

/* -t: the recipients stand in the header; Bcc is for us alone. Without a header separator the first line begins it. */
static int take_header(struct letter *l)
{
	struct header_iter it = header_begin(buf_str(&l->text));
	scoped_buf struct buf kept = { 0 }, value = { 0 };
	struct header_field f;
	bool has_from = false, ok = true;

	while (header_next(&it, &f)) {
		buf_reset(&value);
		header_unfold(f.value, &value);
		if (l->from_headers && is_list_field(f.name))
			ok = recipients_parse(buf_str(&value), add_recipient, l) && ok;
		has_from = has_from || str_ieq(f.name, STR("From"));
		if (!l->from_headers || !str_ieq(f.name, STR("Bcc")))
			buf_add(&kept, f.whole);
	}
	if (!has_from && l->sender[0] && l->full_name && !strpbrk(l->full_name, "\r\n\"\\"))
		buf_addf(&kept, "From: \"%s\" <%s>\n", l->full_name, l->sender);
	buf_addc(&kept, '\n');
	buf_add(&kept, it.rest);
	buf_free(&l->text);
	buf_add(&l->text, buf_str(&kept));
	return ok ? 0 : ctl_fail(l->ctl, EX_DATAERR, "an address list in the header is malformed");
}

/* One reply, all its lines; its code, or -1. */
static int reply(struct letter *l, char text[512])
{
	for (;;) {
		struct str rest = buf_str(&l->in);
		ptrdiff_t end = str_find(rest, '\n');
		if (end >= 3) {
			bool more = l->in.p[3] == '-';
			snprintf(text, 512, "%.*s", (int)(end > 500 ? 500 : end), l->in.p);
			text[strcspn(text, "\r")] = '\0';
			if (l->verbose)
				fprintf(stderr, "%s\n", text);
			buf_consume(&l->in, (size_t)end + 1);
			if (!more)
				return atoi(text);
			continue;
		}
		buf_reserve(&l->in, 4096);
		ssize_t n = read(l->fd, l->in.p + l->in.n, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		l->in.n += (size_t)n;
	}
}

/* Sends and wants a reply of that class; an exit status. */
static int say(struct letter *l, struct str bytes, int class)
{
	char text[512] = "the connection is lost";

	if (fd_write_all(l->fd, bytes) < 0)
		return ctl_fail(l->ctl, EX_TEMPFAIL, "Tayori: %m");
	int code = reply(l, text);
	if (code / 100 == class)
		return 0;
	if (code / 100 == 5)
		return ctl_fail(l->ctl,
				code == 550 || code == 553 ? EX_NOUSER
				: code == 501		   ? EX_DATAERR
							   : EX_UNAVAILABLE,
				"%s", text);
	return ctl_fail(l->ctl, EX_TEMPFAIL, "%s", text);
}

static int command(struct letter *l, const char *verb, struct str address)
{
	scoped_buf struct buf line = { 0 };

	if (str_find(address, '\r') >= 0 || str_find(address, '\n') >= 0)
		return ctl_fail(l->ctl, EX_DATAERR, "an address with a line end");
	buf_addf(&line, "%s:<%.*s>\r\n", verb, STR_ARG(address));
	return say(l, buf_str(&line), 2);
}

/* An address without a domain is one of ours. */
static struct str with_domain(struct letter *l, struct str address)
{
	if (address.n == 0 || str_find(address, '@') >= 0)
		return address;
	struct str origin = ctl_value(l->ctl, "myorigin");
	return str_from(arena_printf(&l->ctl->config.arena, "%.*s@%.*s", STR_ARG(address), STR_ARG(origin)));
}

static void encode(struct str text, struct buf *out)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');
		if (line.n > 0 && line.p[0] == '.')
			buf_addc(out, '.');
		buf_add(out, line);
		buf_add(out, STR("\r\n"));
	}
	buf_add(out, STR(".\r\n"));
}

static int hand_over(struct letter *l)
{
	scoped_buf struct buf wire = { 0 };
	size_t at = 0, accepted = 0;
	struct str address;
	int bad, last = 0;

	if ((bad = say(l, STR(""), 2)) || (bad = say(l, STR("EHLO localhost\r\n"), 2)))
		return bad;
	if ((bad = command(l, "MAIL FROM", with_domain(l, str_from(l->sender)))))
		return bad;
	while (strs_next(&l->recipients, &at, &address)) {
		int one = command(l, "RCPT TO", with_domain(l, address));
		accepted += one == 0;
		last = one ? one : last;
	}
	if (accepted == 0)
		return last ? last : ctl_fail(l->ctl, EX_USAGE, "no recipient");
	if ((bad = say(l, STR("DATA\r\n"), 3)))
		return bad;
	encode(buf_str(&l->text), &wire);
	bad = say(l, buf_str(&wire), 2);
	if (!bad)
		(void)!write(l->fd, "QUIT\r\n", 6);
	return bad ? bad : last;
}

/* -bs: SMTP on standard input and output, for programs that want to talk themselves. */
static int talk(struct letter *l)
{
	char bytes[16384];
	ssize_t n;

	if (fork() == 0) {
		while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
			if (fd_write_all(l->fd, str_of(bytes, (size_t)n)) < 0)
				break;
		shutdown(l->fd, SHUT_WR);
		_exit(0);
	}
	while ((n = read(l->fd, bytes, sizeof(bytes))) > 0)
		if (fd_write_all(STDOUT_FILENO, str_of(bytes, (size_t)n)) < 0)
			break;
	return 0;
}

static int usage(struct ctl *ctl)
{
	return ctl_fail(ctl, EX_USAGE,
			"usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [-v] [RECIPIENT ...] | -bs | -bp | -q");
}

static bool take_option(struct letter *l, int option, const char *arg)
{
	switch (option) {
	case 't': l->from_headers = true; return true;
	case 'i': l->ignore_dots = true; return true;
	case 'f':
	case 'r': l->sender = strcmp(arg, "<>") == 0 ? "" : arg; return true;
	case 'F': l->full_name = arg; return true;
	case 'b': l->mode = arg[0]; return true;
	case 'I': l->mode = 'i'; return true;
	case 'q': l->mode = 'q'; return true;
	case 'v': l->verbose = true; return true;
	case 'C': l->ctl->folder = arg; return true;
	case 'o': /* -oi is -i; the others of the original do nothing here */
		l->ignore_dots = l->ignore_dots || arg[0] == 'i';
		return true;
	/* accepted for programs that give them */
	case 'B':
	case 'G':
	case 'h':
	case 'L':
	case 'm':
	case 'N':
	case 'n':
	case 'O':
	case 'R':
	case 'U':
	case 'V':
	case 'X': return true;
	default: return false;
	}
}

static const char *caller(struct ctl *ctl)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? arena_printf(&ctl->config.arena, "%s", pw->pw_name) : "nobody";
}

static void letter_free(struct letter *l)
{
	fd_close(&l->fd);
	buf_free(&l->recipients_raw);
	buf_free(&l->text);
	buf_free(&l->in);
}

/* A suite that is just being started or replaced is there again in a moment: programs that send do not ask twice. */
static int connect_patiently(struct ctl *ctl)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	int64_t end = clock_mono_ms() + PATIENCE_MS;

	for (;;) {
		int fd = ctl_connect(ctl, "public/sendmail", SOCK_STREAM);
		if (fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED) || clock_mono_ms() >= end)
			return fd;
		nanosleep(&pause, NULL);
	}
}

static int run(struct letter *l)
{
	int bad = 0;

	l->fd = connect_patiently(l->ctl);
	if (l->fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
		return ctl_fail(l->ctl, EX_TEMPFAIL, "%s: %m: the message was not taken", ctl_path(l->ctl, "public/sendmail"));
	if (l->fd < 0)
		return ctl_fail(l->ctl, EX_TEMPFAIL, "Tayori does not run: the message was not taken; try again later");
	if (l->mode == 's')
		return talk(l);
	if ((bad = read_message(l)) || (bad = take_header(l)))
		return bad;
	return hand_over(l);
}

int cmd_sendmail(struct ctl *ctl, int argc, char **argv)
{
	struct letter l = { .ctl = ctl, .mode = 'm', .fd = -1 };
	int option;

	while ((option = getopt(argc, argv, "tif:r:F:b:q::vC:c:o:B:Gh:IL:mN:nO:R:UV:X:")) != -1)
		if (!take_option(&l, option == 'c' ? 'C' : option, optarg ? optarg : ""))
			return usage(ctl);
	if (l.mode == 'p')
		return optind = 1, cmd_mailq(ctl, 1, argv);
	if (l.mode == 'i')
		return optind = 1, cmd_newaliases(ctl, 1, argv);
	if (l.mode == 'q')
		return optind = 1, cmd_postqueue(ctl, 2, (char *[]){ argv[0], (char *)(uintptr_t) "-f", NULL });
	if (l.mode != 'm' && l.mode != 's')
		return usage(ctl);
	if (!ctl_load(ctl))
		return EX_TEMPFAIL;
	if (!l.sender)
		l.sender = caller(ctl);
	for (; optind < argc; optind++)
		add_recipient(&l, str_from(argv[optind]));
	if (l.mode == 'm' && l.recipients.n == 0 && !l.from_headers)
		return usage(ctl);
	int status = run(&l);
	letter_free(&l);
	return status;
}
