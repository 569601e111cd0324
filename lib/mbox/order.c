#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mbox/inner.h"

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *pa, const void *pb)
{
	const struct mbox_message *a = pa, *b = pb;
	/* no uid: after all others, as uid - 1 wraps */
	int c = compare_u64((uint32_t)(a->uid - 1), (uint32_t)(b->uid - 1));

	if (c == 0)
		c = a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
	if (c == 0)
		c = str_cmp(mbox_message_base(a), mbox_message_base(b));
	if (c == 0)
		c = (int)a->in_new - (int)b->in_new;
	return c ? c : str_cmp(a->name, b->name);
}

/*
 * Two entries of one base name. Seen before and after another program moved it: the place where it is now counts. Two links
 * to one file, left by a mover that died between link and unlink: one goes. Two files: both are messages, and the
 * second one needs a UID, and so a name, of its own. Says whether `b` stays in the list.
 */
static bool settle_twins(const struct mbox_folder *f, struct mbox_message *a, struct mbox_message *b)
{
	struct stat sa, sb;

	if (fstatat(mbox_message_dir(f, b), b->name.p, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (fstatat(mbox_message_dir(f, a), a->name.p, &sa, AT_SYMLINK_NOFOLLOW) < 0) {
		*a = *b;
		return false;
	}
	b->uid = 0;
	if (sa.st_dev != sb.st_dev || sa.st_ino != sb.st_ino)
		return true;
	if (!str_eq(a->name, b->name) || a->in_new != b->in_new)
		unlinkat(mbox_message_dir(f, b), b->name.p, 0);
	return false;
}

static bool same_base(const struct mbox_message *a, const struct mbox_message *b)
{
	return str_eq(mbox_message_base(a), mbox_message_base(b));
}

/* The same base name has the same tag and date, so both stand side by side, the one in cur/ first. */
static void drop_twins(const struct mbox_folder *f, struct mbox_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!kept || !same_base(&l->m[kept - 1], &l->m[i]) || settle_twins(f, &l->m[kept - 1], &l->m[i]))
			l->m[kept++] = l->m[i];
	l->n = kept;
}

void mbox_list_order(const struct mbox_folder *f, struct mbox_list *l)
{
	uint32_t uid = 0;

	if (l->n == 0)
		return;
	qsort(l->m, l->n, sizeof(*l->m), compare);
	drop_twins(f, l);
	for (size_t i = 0; i < l->n; i++) {
		if (l->m[i].uid && l->m[i].uid == uid)
			l->m[i].uid = 0;
		else if (l->m[i].uid)
			uid = l->m[i].uid;
	}
	qsort(l->m, l->n, sizeof(*l->m), compare);
}
