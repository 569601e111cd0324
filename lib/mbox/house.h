/* house - all folders of a user as a former server left them, imported or not. Inner header of lib/mbox. */
#ifndef MBOX_HOUSE_H
#define MBOX_HOUSE_H

#include "mbox/folder.h"
#include "mbox/former.h"
#include "mbox/import.h"
#include "mbox/name.h"

#define MBOX_NAMES "names" /* in tayori-imported/: what was imported, see former.h */

struct mbox_house {
	int home;
	const struct mbox_report *report;
	enum mbox_origin origin;
	bool utf7;     /* folders are named in modified UTF-7 on disk */
	bool waiting;  /* a folder must be imported */
	bool imported; /* a folder was */
	struct str *
		dirs; /* of all folders, as they are called on disk, without the first dot; INBOX, the empty name, is last */
	size_t n, room;
	struct arena arena;
	size_t done, failed;
	enum mbox_result worst; /* of the first one that failed */
	struct err why;
};

#define scoped_house __attribute__((cleanup(mbox_house_close)))

enum mbox_result mbox_house_open(int home, const struct mbox_report *report, struct mbox_house *h, struct err *err);
void mbox_house_close(struct mbox_house *h);

__attribute__((format(printf, 3, 4))) void mbox_house_tell(const struct mbox_house *h, struct str folder,
							   const char *format, ...);
/* One folder is over. */
void mbox_house_end(struct mbox_house *h, struct str folder, enum mbox_result r, const struct err *why);

/* Appends a file: 1; 0 when there is none; -1 with errno. */
int mbox_house_file(int dir, const char *name, size_t limit, struct buf *out);
/* The same; a failure has its words. */
enum mbox_result mbox_house_read(int dir, const char *name, struct buf *out, bool *there, struct err *err);

/* Moves the former server's control files. REFUSED when one is there already. */
enum mbox_result mbox_house_move_controls(int from, int to, struct err *err);

/* What `former` points into. */
struct mbox_former_texts {
	struct buf list, pop3, keywords;
};
void mbox_former_texts_free(struct mbox_former_texts *t);

/* What the former server knew of the folder, before anything was done to it; `dir`: as the house has it. */
enum mbox_result mbox_house_former(struct mbox_house *h, const struct mbox_folder *f, struct str dir,
				   struct mbox_former_texts *texts, struct arena *arena, struct mbox_former *out,
				   struct err *err);

/* tayori-imported/names; REFUSED when it is damaged. */
enum mbox_result mbox_house_names(int imported, struct buf *text, struct arena *arena, struct mbox_former *out,
				  bool *there, struct err *err);

/* ".name" */
void mbox_house_path(struct str dir, char out[MBOX_NAME_MAX + 2]);

#endif
