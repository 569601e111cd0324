#include "qmgr/bed/bed.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"

enum { WAIT_MS = HARNESS_PATIENCE_MS };

void bed_make(struct bed *b)
{
	*b = (struct bed){ .authority = AUTHORITY_MX };
	b->dir = harness_mkdir(&b->arena);
	b->queue = arena_printf(&b->arena, "%s/queue", b->dir);
	ck_assert_int_eq(mkdir(b->queue, 0700), 0);
}

static void listen_here(struct bed *b)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	scoped_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", b->dir);
	unlink(at.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	struct listener l = { .name = STR("queue"), .socket = fd };
	ck_assert_int_eq(frame_send(b->h.control, &listener_schema, false, 0, &l), 0);
}

void bed_run(struct bed *b, const char *const settings[])
{
	harness_begin(&b->h, "qmgr");
	harness_set(&b->h, "queue_directory", b->queue);
	harness_set(&b->h, "myhostname", "mail.test");
	harness_set(&b->h, "setgid_group", "");
	harness_set(&b->h, "queue_minfree", "1");
	for (size_t i = 0; settings && settings[i]; i += 2)
		harness_set(&b->h, settings[i], settings[i + 1]);
	b->smtpd = harness_client(&b->h, "smtpd", "smtp", b->authority);
	b->lookupd = harness_server(&b->h, "lookupd");
	b->local = harness_server(&b->h, "local");
	b->commandd = harness_server(&b->h, "commandd");
	b->smtp = harness_server(&b->h, "smtp");
	listen_here(b);
	ck_assert(harness_run(&b->h));
}

void bed_stop(struct bed *b, bool by_kill)
{
	if (by_kill)
		kill(b->h.pid, SIGKILL);
	int status = harness_end(&b->h);
	ck_assert_int_eq(status, by_kill ? 128 + SIGKILL : 0);
	close(b->smtpd);
	close(b->lookupd);
	close(b->local);
	close(b->commandd);
	close(b->smtp);
}

void bed_free(struct bed *b)
{
	harness_rmdir(b->dir);
	buf_free(&b->frame);
	arena_free(&b->arena);
}

static uint32_t take(struct bed *b, int fd, const struct ipc_schema *schema, bool answer, void *message)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;

	if (poll(&p, 1, WAIT_MS) != 1) {
		harness_logged(&b->h, "\n", 0);
		ck_abort_msg("no %s; log: %.*s", schema->name, STR_ARG(buf_str(&b->h.log)));
	}
	ck_assert_int_eq(frame_receive(fd, &b->frame, &head, &payload, fds, &n_fds), 1);
	ck_assert_msg(head.type == schema->type && head.answer == answer, "type %d instead of %s", head.type,
		      schema->name);
	ck_assert(ipc_decode(schema, payload, fds, n_fds, message));
	return head.serial;
}

uint32_t bed_take(struct bed *b, int fd, const struct ipc_schema *schema, void *message)
{
	return take(b, fd, schema, false, message);
}

uint32_t bed_answer(struct bed *b, int fd, const struct ipc_schema *schema, void *message)
{
	return take(b, fd, schema, true, message);
}

bool bed_silent(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

struct queue_id bed_id(struct bed *b)
{
	struct queue_ids_answer a;
	struct queue_id id;
	struct str text;
	size_t at = 0;

	frame_send(b->smtpd, &queue_ids_schema, false, ++b->serial, &(struct queue_ids){ .count = 1 });
	bed_answer(b, b->smtpd, &queue_ids_answer_schema, &a);
	ck_assert(strs_next(&a.ids, &at, &text) && queue_id_parse(text, &id));
	return id;
}

void bed_commit(struct bed *b, const struct queue_id *id, const char *to, struct commit *m)
{
	struct str rest = str_from(to);
	struct buf list = { 0 };
	static const char head[] = "Subject: x\n", body[] = "\nbody\n";

	*m = (struct commit){ .queue_id = queue_id_str(id),
			      .sender = STR("from@v.test"),
			      .client_name = STR("unknown"),
			      .client_address = STR("192.0.2.1"),
			      .head = str_from(head),
			      .body = str_from(body) };
	m->size = m->head.n + m->body.n;
	while (rest.n > 0)
		strs_add(&list, &m->recipients, str_cut(&rest, ' '));
	m->recipients.raw = arena_str(&b->arena, buf_str(&list));
	buf_free(&list);
}

uint32_t bed_send(struct bed *b, const struct commit *m)
{
	ck_assert_int_eq(frame_send(b->smtpd, &commit_schema, false, ++b->serial, m), 0);
	return b->serial;
}

static bool add_route(struct str given, struct str sender, struct buf *list, struct strs *routes)
{
	bool far = str_ends(given, STR("@far.test")) || str_ends(given, STR(".out.test"));
	struct str rest = given, user = str_cut(&rest, '@');

	if (!far && !str_ends(given, STR("@v.test")))
		return false;
	struct str parts[ROUTE_PARTS] = { given, given, far ? STR("smtp") : STR("virtual"),
					  far ? rest : STR(""), far ? STR("") : user, sender };
	for (size_t i = 0; i < ROUTE_PARTS; i++)
		strs_add(list, routes, parts[i]);
	return true;
}

void bed_route(struct bed *b)
{
	struct route_answer a = { .code = 250, .status = STR("2.0.0"), .text = STR("ok") };
	struct buf list = { 0 };
	struct route m;
	struct str given;
	size_t at = 0;
	uint32_t serial = bed_take(b, b->lookupd, &route_schema, &m);

	while (strs_next(&m.recipients, &at, &given))
		if (!add_route(given, m.sender, &list, &a.routes))
			a = (struct route_answer){ 550, STR("5.1.1"), STR("unknown"), { 0 } };
	ck_assert_int_eq(frame_send(b->lookupd, &route_answer_schema, true, serial, &a), 0);
	buf_free(&list);
}

void bed_route_as(struct bed *b, const char *lines)
{
	struct route_answer a = { .code = 250, .status = STR("2.0.0"), .text = STR("ok") };
	scoped_buf struct buf list = { 0 };
	struct str rest = str_from(lines);
	struct route m;
	uint32_t serial = bed_take(b, b->lookupd, &route_schema, &m);
	struct str given = { 0 };
	size_t at = 0;

	strs_next(&m.recipients, &at, &given);
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n'), address = str_cut(&line, '|');
		strs_add(&list, &a.routes, address);
		strs_add(&list, &a.routes, given);
		for (size_t i = 2; i < ROUTE_PARTS; i++)
			strs_add(&list, &a.routes, str_cut(&line, '|'));
	}
	ck_assert_int_eq(frame_send(b->lookupd, &route_answer_schema, true, serial, &a), 0);
}

void bed_expand_as(struct bed *b, uint32_t serial, const char *items)
{
	struct delivered d = { .result = DELIVERY_EXPANDED, .status = STR("2.0.0") };
	scoped_buf struct buf raw = { 0 };
	struct str rest = str_from(items);

	while (rest.n > 0)
		strs_add(&raw, &d.targets, str_cut(&rest, '\n'));
	ck_assert_int_eq(frame_send(b->local, &delivered_schema, true, serial, &d), 0);
}

uint16_t bed_code(struct bed *b)
{
	struct committed c;

	bed_answer(b, b->smtpd, &committed_schema, &c);
	return c.code;
}

struct queue_id bed_accept(struct bed *b, const char *to)
{
	struct queue_id id = bed_id(b);
	struct commit m;

	bed_commit(b, &id, to, &m);
	bed_send(b, &m);
	bed_route(b);
	ck_assert_int_eq(bed_code(b), 250);
	return id;
}

uint32_t bed_delivery(struct bed *b, struct deliver *m)
{
	uint32_t serial = bed_take(b, b->local, &deliver_schema, m);

	ck_assert_int_ge(m->content, 0);
	close(m->content);
	return serial;
}

void bed_deliver_as(struct bed *b, uint32_t serial, uint8_t result, const char *status, const char *text)
{
	struct delivered d = { .result = result, .status = str_from(status), .text = str_from(text) };

	ck_assert_int_eq(frame_send(b->local, &delivered_schema, true, serial, &d), 0);
}

uint32_t bed_transfer(struct bed *b, struct transfer *m)
{
	uint32_t serial = bed_take(b, b->smtp, &transfer_schema, m);

	ck_assert_int_ge(m->content, 0);
	close(m->content);
	return serial;
}

void bed_transfer_as(struct bed *b, uint32_t serial, uint32_t n, bool reached, const char *class, const char *status, const char *text)
{
	scoped_buf struct buf raw = { 0 };
	struct transferred t = { .reached = reached, .relay = STR("mx.far.test[192.0.2.25]:25") };

	for (uint32_t i = 0; i < n; i++) {
		strs_add(&raw, &t.results, str_from(class));
		strs_add(&raw, &t.results, str_from(status));
		strs_add(&raw, &t.results, str_from(text));
	}
	ck_assert_int_eq(frame_send(b->smtp, &transferred_schema, true, serial, &t), 0);
}

int bed_tool(struct bed *b)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", b->dir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

struct queue_acted bed_act(struct bed *b, const char *verb, const char *which)
{
	scoped_fd int fd = bed_tool(b);
	struct queue_acted acted;

	frame_send(fd, &queue_act_schema, false, 1, &(struct queue_act){ str_from(verb), str_from(which) });
	bed_answer(b, fd, &queue_acted_schema, &acted);
	return acted;
}

size_t bed_files(const struct bed *b, const char *folder)
{
	char path[300];
	struct dirent *d;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", b->queue, folder);
	DIR *dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* One page of the list: is something at work? */
static bool page_rests(struct bed *b, int fd, char last[32])
{
	struct frame_head head = { 0 };
	struct queue_list_end end;
	struct queue_row row;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;
	bool rests = true;

	frame_send(fd, &queue_list_schema, false, 1, &(struct queue_list){ str_from(last), 500 });
	while (!head.answer) {
		ck_assert_int_eq(frame_receive(fd, &b->frame, &head, &payload, fds, &n_fds), 1);
		if (!head.answer && ipc_decode(&queue_row_schema, payload, fds, n_fds, &row))
			rests &= !str_eq(row.state, STR("active"));
	}
	ck_assert(ipc_decode(&queue_list_end_schema, payload, fds, n_fds, &end));
	snprintf(last, 32, "%.*s", STR_ARG(end.last));
	return rests;
}

static bool all_rest(struct bed *b, int fd)
{
	bool rests = true;
	char last[32] = "";

	do
		rests &= page_rests(b, fd, last);
	while (last[0]);
	return rests;
}

void bed_rest(struct bed *b)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	scoped_fd int fd = bed_tool(b);

	while (!all_rest(b, fd)) {
		ck_assert(clock_mono_ms() < until);
		usleep(5000);
	}
}

off_t bed_env_bytes(struct bed *b, const struct queue_id *id)
{
	struct stat st;

	ck_assert_int_eq(stat(arena_printf(&b->arena, "%s/env/%s", b->queue, id->text), &st), 0);
	return st.st_size;
}

void bed_await_progress(struct bed *b, const struct queue_id *id, off_t before)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (bed_env_bytes(b, id) == before) {
		ck_assert(clock_mono_ms() < until);
		usleep(5000);
	}
}

void bed_await_files(const struct bed *b, size_t n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (bed_files(b, "env") != n && clock_mono_ms() < until)
		usleep(5000);
	ck_assert_uint_eq(bed_files(b, "env"), n);
}
