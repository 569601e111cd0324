/*
 * former - what the server that kept a Maildir before us wrote beside the messages, and what we write down of it. Pure.
 *
 *   dovecot.c   dovecot-uidlist (versions 1 and 3), dovecot-keywords, subscriptions (versions 1 and 2)
 *   courier.c   courierimapuiddb, courierimapkeywords/, courierpop3dsizelist, courierimapsubscribed
 *   former.c    tayori-imported/names, from which an import that was cut off goes on, and which leads back
 *
 * All read whole files; slices point into them, arrays lie in the arena. False: damaged; err->at is the offset of the line.
 */
#ifndef MBOX_FORMER_H
#define MBOX_FORMER_H

#include "mbox/record.h"

enum {
	FORMER_BYTES_MAX = 1 << 30,
	FORMER_LINE_MAX = 2048,
	FORMER_KEYWORD_BYTES_MAX = 1 << 16, /* what one message's keywords may be */
};

enum mbox_origin { ORIGIN_NONE, ORIGIN_DOVECOT, ORIGIN_COURIER };

struct mbox_former_message {
	uint32_t uid;
	uint32_t letters; /* keywords that are not in the file's name: bits as in mbox.h */
	struct str base;  /* of the file's name, before the ':' */
	struct str uidl;  /* empty: none of its own */
};

struct mbox_former {
	enum mbox_origin origin;
	bool utf7;	   /* names of folders on disk are in modified UTF-7 */
	struct str folder; /* name of the directory without its first dot; empty for INBOX */
	uint32_t uidvalidity, uidnext;
	struct str keywords[MBOX_RECORD_KEYWORDS];
	size_t lost;		       /* keywords that cannot be kept: no letter left, or no name for one */
	struct mbox_former_message *m; /* ascending by uid */
	size_t n, room;
};

const char *mbox_origin_name(enum mbox_origin origin);

/* Room for `more` messages in the arena; false when there would be too many. */
bool mbox_former_room(struct mbox_former *f, struct arena *arena, size_t more);
size_t mbox_count_lines(struct str bytes);

/* What a file's name is called by both: the part before the ':'. Empty when it is no name of a message. */
struct str mbox_former_base(struct str name);

/* Letter of a keyword, which gets one when it has none yet; -1, and counted as lost, when it cannot. */
int mbox_former_letter(struct mbox_former *f, struct str name);

/* The messages ordered by base name; of two with one name, the later (its UID is the higher) counts. */
struct mbox_former_index {
	struct mbox_former_message **by_base; /* into f->m: it must not get more room meanwhile */
	size_t n;
};
bool mbox_former_index(const struct mbox_former *f, struct arena *arena, struct mbox_former_index *out);
struct mbox_former_message *mbox_former_find(const struct mbox_former_index *ix, struct str base);
struct mbox_former_message *mbox_former_uid(const struct mbox_former *f, uint32_t uid);

/* ---- names of folders ---- */

/* Ours for a name on disk (without its first dot), be it modified UTF-7 or UTF-8 already. False when it cannot be one. */
bool mbox_former_name(struct str disk, struct buf *out);
/* And back. */
bool mbox_former_disk(struct str name, bool utf7, struct buf *out);

/* ---- tayori-imported/names ---- */

void mbox_former_format(const struct mbox_former *f, struct buf *out);
bool mbox_former_parse(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err);

/* ---- Dovecot ---- */

bool mbox_dovecot_uidlist(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err);
/* Letters a to z, by number; lines with others count as lost. */
void mbox_dovecot_keywords(struct str bytes, struct mbox_former *out);
/* Our names of the subscribed folders, a line each; those that cannot be named are counted. */
void mbox_dovecot_subscriptions(struct str bytes, struct buf *out, size_t *lost);

/* ---- Courier ---- */

bool mbox_courier_uiddb(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err);
/*
 * Unique ids of POP3. Messages that IMAP has not seen yet get UIDs here, behind the others, so that theirs are kept too.
 */
bool mbox_courier_pop3(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err);
/* courierimapkeywords/:list: sets letters of the messages. */
bool mbox_courier_keywords(struct str bytes, const struct mbox_former_index *ix, struct mbox_former *out,
			   struct err *err);
/* A file of that folder with one message's keywords, which count instead of those in the list. */
void mbox_courier_keyword_file(struct str bytes, struct mbox_former_message *m, struct mbox_former *out);
/* "base" or ".N.base": the base, and N; UINT64_MAX when there is none, as it is the newest. Empty: something else. */
struct str mbox_courier_keyword_name(struct str file, uint64_t *n);
void mbox_courier_subscriptions(struct str bytes, struct buf *out, size_t *lost);

/* ---- the way back ---- */

/* A message that the former server does not know yet. */
struct mbox_former_later {
	uint32_t uid;
	struct str base, uidl;
};
/* Its list of UIDs (`old`; empty: a new one) with a higher UIDNEXT and these behind; `id`: 32 hex digits for a new one. */
bool mbox_former_uids(const struct mbox_former *f, struct str old, uint32_t uidnext, const char *id,
		      const struct mbox_former_later *later, size_t n, struct buf *out);
/* dovecot-keywords with those added that `keywords` has and `old` has not. */
void mbox_dovecot_keywords_add(struct str old, const struct str keywords[MBOX_RECORD_KEYWORDS], struct buf *out);
/* The list of subscriptions in the form that `old` has, from our names, a line each. */
void mbox_former_subscriptions(enum mbox_origin origin, bool utf7, struct str old, struct str names, struct buf *out);

#endif
