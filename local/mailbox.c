/* The process of a recipient's mail folder. */
#include <fcntl.h>

#include "io/fd.h"
#include "ipc/channel.h"
#include "job.h"

struct folder_place {
	const struct job_place *place;
	int home;
};

static int into_mailbox(void *arg, uint32_t serial, const struct deliver *m)
{
	const struct folder_place *p = arg;
	scoped_buf struct buf text = { 0 };
	struct delivered result;

	job_deliver(m, p->home, p->place->host, &text, &result);
	return frame_send(p->place->parent, &delivered_schema, true, serial, &result);
}

int job_loop(void *arg)
{
	const struct job_place *place = arg;
	scoped_fd int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct folder_place p = { place, home };

	return home < 0 ? 1 : job_serve(place->parent, into_mailbox, &p);
}
