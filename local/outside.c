#include "outside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "append.h"
#include "forward/forward.h"
#include "forward/head.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "job.h"

static void say(struct delivered *out, uint8_t result, const char *status, struct str text)
{
	*out = (struct delivered){ .result = result, .status = str_from(status), .text = text };
}

/* A folder: each message a file of its own, as in any other mail folder. */
static void into_folder(const struct deliver *m, const struct outside_place *place, struct buf *text,
			struct delivered *out)
{
	scoped_arena struct arena tmp = { 0 };
	const char *path = arena_str(&tmp, m->target).p;
	scoped_fd int home = -1;

	if (mkdirat(AT_FDCWD, path, 0700) == 0 || errno == EEXIST)
		home = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (home < 0) {
		buf_addf(text, "mail folder %s: %s", path, strerror(errno));
		say(out, DELIVERY_DEFERRED, "4.2.0", buf_str(text));
		return;
	}
	job_deliver(m, home, place->conf->myhostname.p, text, out);
}

static void into_file(const struct deliver *m, const struct outside_place *place, struct buf *text,
		      struct delivered *out)
{
	buf_reset(text);
	if (str_ends(m->target, STR("/")))
		into_folder(m, place, text, out);
	else
		append_message(m, place->conf, text, out);
}

/* What the list says, unless the message was here before. */
static void expanded(const struct deliver *m, struct forward *f, struct buf *text, struct delivered *out)
{
	buf_reset(text);
	if (head_is_loop(m->content, m->size, m->recipient)) {
		buf_addf(text, "mail forwarding loop for %.*s", STR_ARG(m->recipient));
		say(out, DELIVERY_FAILED, "5.4.6", buf_str(text));
		return;
	}
	say(out, DELIVERY_EXPANDED, "2.0.0", buf_str(&f->told));
	out->targets = f->targets;
}

static enum forward_result read_forward(const struct deliver *m, const struct outside_place *place, struct forward *f)
{
	const struct forward_who who = {
		.user = m->user,
		.home = place->home,
		.uid = place->uid,
		.delimiter = place->conf->recipient_delimiter,
		.commands = conf_list_has(place->conf->allow_mail_to_commands, STR("forward")),
		.files = conf_list_has(place->conf->allow_mail_to_files, STR("forward")),
	};

	return forward_user(&who, m->recipient, f);
}

/* Its .forward, or a file that stands in it. When that has changed since it was read, what it says now counts. */
static void for_user(const struct deliver *m, const struct outside_place *place, struct forward *f, struct buf *text,
		     struct delivered *out)
{
	enum forward_result r = read_forward(m, place, f);

	if (r == FORWARD_LATER) {
		say(out, DELIVERY_DEFERRED, "4.3.0", buf_str(&f->told));
	} else if (r == FORWARD_FOUND && m->target.n > 0 && forward_has(f, m->target)) {
		into_file(m, place, text, out);
	} else if (r == FORWARD_FOUND) {
		expanded(m, f, text, out);
	} else if (m->target.n > 0) {
		say(out, DELIVERY_EXPANDED, "2.0.0", buf_str(&f->told));
		strs_add(&f->raw, &out->targets, STR("\\"));
	} else {
		say(out, DELIVERY_NO_LIST, "2.0.0", buf_str(&f->told));
	}
}

void outside_deliver(const struct deliver *m, const struct outside_place *place, struct forward *f, struct buf *text,
		     struct delivered *out)
{
	if (!place->alias)
		for_user(m, place, f, text, out);
	else if (str_starts(m->target, STR("/")))
		into_file(m, place, text, out);
	else if (forward_list(m->target, f) == FORWARD_FOUND)
		expanded(m, f, text, out);
	else
		say(out, DELIVERY_DEFERRED, "4.3.5", buf_str(&f->told));
}

static int one(void *arg, uint32_t serial, const struct deliver *m)
{
	const struct outside_place *place = arg;
	scoped_forward struct forward f = { 0 };
	scoped_buf struct buf text = { 0 };
	struct delivered d;

	outside_deliver(m, place, &f, &text, &d);
	return frame_send(place->parent, &delivered_schema, true, serial, &d);
}

int outside_loop(void *place)
{
	return job_serve(((const struct outside_place *)place)->parent, one, place);
}
