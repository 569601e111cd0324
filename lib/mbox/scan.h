/* scan - what lies in new/ and cur/. Inner header of lib/mbox. */
#ifndef MBOX_SCAN_H
#define MBOX_SCAN_H

#include "mbox/folder.h"
#include "mbox/name.h"

enum { MBOX_MESSAGES_MAX = 1 << 22 };

struct mbox_list {
	struct mbox_message *m;
	size_t n, room;
	struct arena names;
	size_t skipped;
	struct err trouble; /* about the last one skipped */
};

#define scoped_list __attribute__((cleanup(mbox_list_free)))

void mbox_list_free(struct mbox_list *l);

/*
 * Lists every message, in no order; files in both directories are listed twice. uid is 0 unless the tag is of
 * `uidvalidity` and below `uidnext`; sizes are as the name says, -1 when it does not. No file is opened.
 */
enum mbox_result mbox_scan(const struct mbox_folder *f, uint32_t uidvalidity, uint32_t uidnext, struct mbox_list *out,
			   struct err *err);

/* The same in one pass, which may have missed what another program renamed meanwhile; `whole` not set: new/ only. */
enum mbox_result mbox_scan_once(const struct mbox_folder *f, uint32_t uidvalidity, uint32_t uidnext, bool whole,
				struct mbox_list *out, struct err *err);

/*
 * Gives UIDs from `uid` on to the messages from `from` on, and moves them to cur/. Those that get none leave the list: gone
 * meanwhile, unreadable, or no room for the name. None of that may keep the user from the others. False: looking again
 * later may help.
 */
bool mbox_take_all(const struct mbox_folder *f, uint32_t uidvalidity, struct mbox_list *l, size_t from, uint32_t uid);
/* Moves one that has its UID from new/ to cur/. False with errno. */
bool mbox_take_to_cur(const struct mbox_folder *f, struct mbox_list *l, struct mbox_message *m);
/*
 * Files that got their tag here have their sizes in the name; another program may have dropped them: then the file is read. False:
 * it cannot be.
 */
bool mbox_sizes_known(const struct mbox_folder *f, struct mbox_list *l, struct mbox_message *m);

/*
 * Orders by uid, those without one at the end by arrival and base name. A file that was seen twice stays once; of two
 * messages with one uid, the earlier keeps it. Under the lock only.
 */
void mbox_list_order(const struct mbox_folder *f, struct mbox_list *l);

/* Counts one that is no message. */
__attribute__((format(printf, 2, 3))) void mbox_list_skip(struct mbox_list *l, const char *format, ...);

static inline struct str mbox_message_base(const struct mbox_message *m)
{
	return str_head(m->name, m->base_n);
}

static inline int mbox_message_dir(const struct mbox_folder *f, const struct mbox_message *m)
{
	return m->in_new ? f->new : f->cur;
}

/* Reads the file: its size, and its size with CRLF. False with errno; the message is then unchanged. */
bool mbox_measure(const struct mbox_folder *f, struct mbox_message *m);

/* LFs in `s` without a CR before them. *last is the byte before `s` (0 at first), then the last one of `s`. */
int64_t mbox_bare_lf(struct str s, char *last);

#endif
