/* fetch - what FETCH asks for, parsed. */
#ifndef IMAPSESSION_FETCH_H
#define IMAPSESSION_FETCH_H

#include "commands.h"
#include "section.h"

enum { FETCH_SECTIONS_MAX = 100 };

enum fetch_item {
	ITEM_UID = 1,
	ITEM_FLAGS = 2,
	ITEM_MODSEQ = 4,
	ITEM_DATE = 8,
	ITEM_SIZE = 16,
	ITEM_ENVELOPE = 32,
	ITEM_STRUCTURE = 64,
	ITEM_BODY = 128,
};

struct fetch {
	unsigned items;
	struct section *sections;
	size_t n;
	bool since;   /* CHANGEDSINCE */
	uint64_t modseq;
	bool vanished;
};

/* " items [modifiers]" to the end. False: p->wrong is set. */
bool fetch_parse(struct parse *p, struct fetch *out);
/* Whether \Seen is set by it. */
bool fetch_sees(const struct fetch *f);

#endif
