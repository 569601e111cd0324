#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/fd.h"
#include "mbox/fresh.h"
#include "mbox/inner.h"

/* Takes over where the message lies now. The name is copied: `at` goes with its list. */
static void follow(struct mbox *m, struct mbox_message *message, const struct mbox_message *at)
{
	message->gone = !at;
	if (!at)
		return;
	message->name = arena_str(&m->inner->list.names, at->name);
	message->flags = at->flags;
	message->in_new = at->in_new;
}

/*
 * One message was not where it should be: another program has changed flags, or removed it. The whole folder is read, since
 * where one has moved more will have; so the cost goes by such changes, not by messages times changes.
 */
static enum mbox_result find_all(struct mbox *m, struct err *err)
{
	scoped_table struct table by_base = { 0 };
	scoped_list struct mbox_list list;
	enum mbox_result r = mbox_scan(&m->inner->folder, 0, 0, &list, err);

	if (r)
		return r;
	for (size_t i = 0; i < list.n; i++) /* new/ comes first, so cur/ wins */
		table_set(&by_base, mbox_message_base(&list.m[i]), &list.m[i]);
	for (size_t i = 0; i < m->n; i++)
		if (!m->messages[i].gone)
			follow(m, &m->messages[i], table_get(&by_base, mbox_message_base(&m->messages[i])));
	return MBOX_OK;
}

static int open_file(const struct mbox *m, size_t i)
{
	const struct mbox_message *message = &m->messages[i];

	if (message->gone)
		return errno = ENOENT, -1;
	return mbox_file_open(mbox_message_dir(&m->inner->folder, message), message->name.p, O_RDONLY);
}

int mbox_message_open(struct mbox *m, size_t i)
{
	int fd = open_file(m, i);

	if (fd >= 0 || errno != ENOENT || m->messages[i].gone)
		return fd;
	if (find_all(m, NULL))
		return errno = EIO, -1;
	return open_file(m, i);
}

static int unlink_file(const struct mbox *m, const struct mbox_message *message)
{
	if (message->gone)
		return 0;
	return unlinkat(mbox_message_dir(&m->inner->folder, message), message->name.p, 0);
}

static enum mbox_result remove_one(struct mbox *m, size_t i, struct err *err)
{
	struct mbox_message *message = &m->messages[i];
	int failed = unlink_file(m, message);

	if (failed && errno == ENOENT) {
		enum mbox_result r = find_all(m, err);
		if (r)
			return r;
		failed = unlink_file(m, message);
	}
	if (failed && errno != ENOENT)
		return mbox_failed(err, "cannot remove a message");
	message->gone = true;
	return MBOX_OK;
}

static bool is_empty(const struct mbox *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->messages[i].gone)
			return false;
	return true;
}

enum mbox_result mbox_remove(struct mbox *m, const size_t *list, size_t n, struct err *err)
{
	const struct mbox_folder *f = &m->inner->folder;
	enum mbox_result first = MBOX_OK;

	for (size_t i = 0; i < n; i++) {
		ASSERT(list[i] < m->n);
		enum mbox_result r = remove_one(m, list[i], first ? NULL : err);
		first = first ? first : r;
	}
	if (n > 0 && (fsync(f->cur) < 0 || fsync(f->new) < 0) && !first)
		first = mbox_failed(err, "cannot flush the folder");
	if (n > 0 && is_empty(m))
		mbox_fresh_drop(f);
	return first;
}
