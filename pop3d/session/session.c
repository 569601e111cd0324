#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/fd.h"
#include "smtp/data.h"

enum { READ_CHUNK = 64 * 1024 };

struct command {
	const char *verb;
	void (*run)(struct session *s, struct str args);
};

/* A message number that is there and not deleted; else the client has been told. */
static bool take_number(struct session *s, struct str text, size_t *i)
{
	uint64_t n;

	if (!str_u64(text, s->box->n, &n) || n == 0 || s->deleted[n - 1]) {
		wire_say(&s->wire, "-ERR no such message");
		return false;
	}
	*i = (size_t)n - 1;
	return true;
}

static void cmd_stat(struct session *s, struct str args)
{
	uint64_t octets = 0;

	(void)args;
	for (size_t i = 0; i < s->box->n; i++)
		if (!s->deleted[i])
			octets += (uint64_t)s->box->messages[i].vsize;
	wire_say(&s->wire, "+OK %zu %llu", s->box->n - s->n_deleted, (unsigned long long)octets);
}

static void list_one(struct session *s, const char *prefix, size_t i)
{
	wire_say(&s->wire, "%s%zu %lld", prefix, i + 1, (long long)s->box->messages[i].vsize);
}

static void uidl_one(struct session *s, const char *prefix, size_t i)
{
	char room[MBOX_UIDL_MAX + 1];
	struct str uidl = mbox_uidl(s->box, i, room);

	wire_say(&s->wire, "%s%zu %.*s", prefix, i + 1, STR_ARG(uidl));
}

static void list(struct session *s, struct str args, void (*one)(struct session *s, const char *prefix, size_t i))
{
	size_t i;

	if (args.n > 0) {
		if (take_number(s, args, &i))
			one(s, "+OK ", i);
		return;
	}
	wire_say(&s->wire, "+OK %zu messages", s->box->n - s->n_deleted);
	for (i = 0; i < s->box->n; i++) {
		if (!s->deleted[i])
			one(s, "", i);
		if (s->wire.out.n >= WIRE_FLUSH_AT)
			wire_flush(&s->wire);
	}
	wire_put(&s->wire, STR(".\r\n"));
}

static void cmd_list(struct session *s, struct str args)
{
	list(s, args, list_one);
}

static void cmd_uidl(struct session *s, struct str args)
{
	list(s, args, uidl_one);
}

/* Cuts `text` behind the header and `*lines` lines of the body; counts both down over chunks. True: cut. */
struct top {
	bool in_body, at_start;
	uint64_t lines;
};

static bool cut_top(struct top *t, struct str *text)
{
	for (size_t i = 0; i < text->n; i++) {
		bool end = text->p[i] == '\n';
		if (t->in_body && t->lines == 0) {
			text->n = i;
			return true;
		}
		if (end && t->in_body)
			t->lines--;
		if (end && t->at_start)
			t->in_body = true;
		t->at_start = end;
	}
	return t->in_body && t->lines == 0;
}

/* The body of a message whose file cannot be read further: the client must not take it for whole. */
static void give_up(struct session *s)
{
	s->wire.broken = true;
	s->over = true;
}

/* Exactly the octets that LIST told of: asking for the end of the file would be a call for nothing. */
static void send_file(struct session *s, int fd, int64_t left, struct top *top)
{
	struct data_encoder encoder = { .stuff = true };
	scoped_buf struct buf chunk = { 0 };
	bool cut = false;
	ssize_t n = 0;

	buf_reserve(&chunk, READ_CHUNK);
	while (!cut && !s->wire.broken && left > 0) {
		n = fd_read_full(fd, chunk.p, left < READ_CHUNK ? (size_t)left : READ_CHUNK);
		if (n <= 0)
			break;
		left -= n;
		struct str text = str_of(chunk.p, (size_t)n);
		cut = top && cut_top(top, &text);
		data_encode(&encoder, text, &s->wire.out);
		if (s->wire.out.n >= WIRE_FLUSH_AT)
			wire_flush(&s->wire);
	}
	if (n < 0 || (n == 0 && left > 0)) /* cannot be read, or has become shorter */
		give_up(s);
	else
		data_encode_end(&encoder, &s->wire.out);
}

static void retrieve(struct session *s, size_t i, struct top *top)
{
	scoped_fd int fd = mbox_message_open(s->box, i);

	if (fd < 0) {
		wire_say(&s->wire, errno == ENOENT ? "-ERR the message is gone" : "-ERR [SYS/TEMP] the message cannot be read");
		return;
	}
	wire_say(&s->wire, "+OK %lld octets", (long long)s->box->messages[i].vsize);
	send_file(s, fd, s->box->messages[i].size, top);
}

static void cmd_retr(struct session *s, struct str args)
{
	size_t i;

	if (take_number(s, args, &i))
		retrieve(s, i, NULL);
}

static void cmd_top(struct session *s, struct str args)
{
	struct str number = str_cut(&args, ' ');
	struct top top = { .at_start = true };
	size_t i;

	if (!str_u64(str_trim(args), UINT32_MAX, &top.lines))
		wire_say(&s->wire, "-ERR TOP needs a message and a number of lines");
	else if (take_number(s, number, &i))
		retrieve(s, i, &top);
}

static void cmd_dele(struct session *s, struct str args)
{
	size_t i;

	if (!take_number(s, args, &i))
		return;
	s->deleted[i] = true;
	s->n_deleted++;
	wire_say(&s->wire, "+OK marked to be deleted");
}

static void cmd_noop(struct session *s, struct str args)
{
	(void)args;
	wire_say(&s->wire, "+OK");
}

static void cmd_rset(struct session *s, struct str args)
{
	(void)args;
	for (size_t i = 0; i < s->box->n; i++)
		s->deleted[i] = false;
	s->n_deleted = 0;
	wire_say(&s->wire, "+OK");
}

static void cmd_capa(struct session *s, struct str args)
{
	(void)args;
	wire_say(&s->wire, "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nIMPLEMENTATION Tayori\r\n.");
}

/* The update state: what was marked is removed, on disk, before the answer (RFC 1939, 6). */
static void cmd_quit(struct session *s, struct str args)
{
	size_t *which = calloc(s->n_deleted + 1, sizeof(*which)), n = 0;
	struct err err = { 0 };

	(void)args;
	ASSERT(which);
	for (size_t i = 0; i < s->box->n; i++)
		if (s->deleted[i])
			which[n++] = i;
	if (n == 0 || mbox_remove(s->box, which, n, &err) == MBOX_OK)
		wire_say(&s->wire, "+OK bye");
	else
		wire_say(&s->wire, "-ERR [SYS/TEMP] some messages are not deleted");
	free(which);
	s->over = true;
}

static const struct command commands[] = {
	{ "STAT", cmd_stat }, { "LIST", cmd_list }, { "UIDL", cmd_uidl }, { "RETR", cmd_retr }, { "TOP", cmd_top },
	{ "DELE", cmd_dele }, { "NOOP", cmd_noop }, { "RSET", cmd_rset }, { "CAPA", cmd_capa }, { "QUIT", cmd_quit },
};

void session_command(struct session *s, struct str line)
{
	struct str rest = line;
	struct str verb = str_cut(&rest, ' ');

	for (size_t i = 0; i < COUNT(commands); i++)
		if (str_ieq(verb, str_from(commands[i].verb))) {
			commands[i].run(s, str_trim(rest));
			return;
		}
	wire_say(&s->wire, "-ERR unknown command");
}

static bool open_box(struct session *s, int home)
{
	struct err err = { 0 };

	switch (mbox_open(home, STR("INBOX"), MBOX_POP3, &s->box, &err)) {
	case MBOX_OK: break;
	case MBOX_BUSY: wire_say(&s->wire, "-ERR [IN-USE] another POP3 session has this mailbox"); return false;
	case MBOX_REFUSED: wire_say(&s->wire, "-ERR [SYS/PERM] %s", err.text); return false;
	default: wire_say(&s->wire, "-ERR [SYS/TEMP] the mailbox cannot be opened"); return false;
	}
	s->deleted = calloc(s->box->n + 1, sizeof(*s->deleted));
	ASSERT(s->deleted);
	return true;
}

void session_run(int fd, struct str input, int home)
{
	struct session s = { .wire = { .fd = fd } };
	struct str line;

	buf_add(&s.wire.in, input);
	if (!open_box(&s, home)) {
		wire_flush(&s.wire);
		return;
	}
	wire_say(&s.wire, "+OK logged in, %zu messages", s.box->n);
	while (!s.over) {
		enum wire_line got = wire_line(&s.wire, &line);
		if (got == WIRE_LONG)
			wire_say(&s.wire, "-ERR line too long");
		if (got != WIRE_OK)
			break;
		session_command(&s, line);
	}
	wire_flush(&s.wire);
	mbox_close(&s.box);
	free(s.deleted);
	buf_free(&s.wire.in);
	buf_free(&s.wire.out);
}
