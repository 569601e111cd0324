/* text - the rows of a table's text, one after the other. Private to lib/dict. */
#ifndef DICT_TEXT_H
#define DICT_TEXT_H

#include "base/buf.h"
#include "base/err.h"

struct text {
	struct str rest;
	size_t number; /* of the last physical line read */
	struct buf line;
};

struct text_row {
	size_t line;	/* where it begins, from 1 */
	struct str key; /* lower case; key and value live until the next call */
	struct str value;
	const char *bad; /* why the line is no row, or NULL */
};

/* NULL, or why this cannot be the whole text of a table. */
const char *text_refused(struct str text);
/* The next logical line, in row->value and not yet taken apart; false at the end. */
bool text_line(struct text *t, struct text_row *row);
/* The next row or bad line; false at the end. text_free when done. */
bool text_next(struct text *t, struct text_row *row);
static inline void text_free(struct text *t)
{
	buf_free(&t->line);
}
#define scoped_text __attribute__((cleanup(text_free)))

#endif
