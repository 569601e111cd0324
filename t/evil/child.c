/*
 * A taken-over delivery process: local's own parent, with this in the place of its child's work. What it does is the
 * sender's local part; for anybody else it says that it has delivered.
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "io/fd.h"
#include "ipc/messages.h"
#include "local/job.h"
#include "wire.h"

static void say(int parent, const struct ipc_schema *schema, const void *message, uint32_t serial, unsigned times)
{
	scoped_buf struct buf frame = { 0 };

	for (unsigned i = 0; i < times; i++) {
		wire_frame(schema, message, true, serial, &frame);
		wire_send(parent, buf_str(&frame), -1, 0);
	}
}

/* Does not end when it is told to. */
static void linger(void)
{
	for (;;)
		poll(NULL, 0, 1000);
}

/* A file of the mail folder remembers the first try. */
static bool tried(struct str id)
{
	scoped_buf struct buf name = { 0 };

	buf_addf(&name, "tried-%.*s", STR_ARG(id));
	scoped_fd int fd = open(buf_cstr(&name), O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd < 0;
}

static void behave(int parent, uint32_t serial, const struct deliver *m)
{
	const struct delivered unsure = { .result = DELIVERY_FAILED, .status = STR("5.0.0"), .text = STR("nobody said that it is tried again") };
	struct str sender = m->sender;
	const struct delivered done = { .result = DELIVERY_DONE, .status = STR("2.0.0"), .text = STR("delivered to mailbox") };
	const struct delivered odd = { .result = 77, .status = STR("2.0.0"), .text = STR("x") };
	const struct delivered lines = { .result = DELIVERY_DONE, .status = STR("2.0.0\r\n"), .text = STR("a\nNov 22 00:00:00 forged") };
	struct str way = str_cut(&sender, '@');
	scoped_buf struct buf frame = { 0 };

	wire_frame(&delivered_schema, &done, true, serial, &frame);
	for (int i = 0; i < WIRE_SPOILS; i++)
		if (str_eq(way, str_from(wire_spoils[i]))) {
			wire_spoil(parent, i, buf_str(&frame));
			linger();
		}
	if (str_eq(way, STR("other"))) {
		say(parent, &mailbox_schema, &(struct mailbox){ .result = LOGIN_OK }, serial, 1);
		linger();
	} else if (str_eq(way, STR("odd"))) {
		say(parent, &delivered_schema, &odd, serial, 1);
		linger();
	} else if (str_eq(way, STR("lines"))) {
		say(parent, &delivered_schema, &lines, serial, 1);
	} else if (str_eq(way, STR("many"))) {
		say(parent, &delivered_schema, &done, serial, 10000);
		linger();
	} else if (str_eq(way, STR("question"))) {
		wire_frame(&deliver_schema, &(struct deliver){ .content = -1 }, false, serial, &frame);
		wire_send(parent, buf_str(&frame), -1, 0);
		linger();
	} else if (str_eq(way, STR("vanish"))) {
		if (!tried(m->queue_id))
			_exit(0);
		say(parent, &delivered_schema, m->again ? &done : &unsure, serial, 1);
	} else if (str_eq(way, STR("stay"))) {
		say(parent, &delivered_schema, &done, serial, 1);
		linger();
	} else {
		say(parent, &delivered_schema, &done, serial, 1);
	}
}

int job_loop(void *arg)
{
	const struct job_place *place = arg;
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	struct deliver m;
	int fds[IPC_FDS_MAX];
	size_t n;

	while (frame_receive(place->parent, &frame, &head, &payload, fds, &n) > 0) {
		if (!ipc_decode(&deliver_schema, payload, fds, n, &m))
			return 1;
		behave(place->parent, head.serial, &m);
		ipc_close_fds(&deliver_schema, &m);
	}
	return 0;
}
