/*
 * parse - IMAP's grammar (RFC 3501, 9) over one gathered command. Pure: it eats its input, or says what was wanted there.
 *
 * A literal stands in the input as it came: {n} CRLF and n octets. What the functions give lies in the input, or in the
 * arena where something had to be put together.
 */
#ifndef IMAPSESSION_PARSE_H
#define IMAPSESSION_PARSE_H

#include "base/arena.h"

enum { PARSE_RANGES_MAX = 10000, PARSE_LIST_MAX = 1000 /* strings of one list */ };

struct parse {
	struct str rest;
	struct arena *arena;
	const char *wrong; /* the first thing that was wrong, for BAD; NULL: nothing */
};

/* Keeps the first `what`; false, so that `return parse_wrong(...)` reads well. */
bool parse_wrong(struct parse *p, const char *what);

bool parse_atom_char(char c);
/* The next character without eating it; 0 at the end. */
char parse_peek(const struct parse *p);
/* Eats it when it is there; says nothing about what is wrong. */
bool parse_try(struct parse *p, char c);
/* Eats the word, blind to case, when it stands there as a whole atom. */
bool parse_try_word(struct parse *p, const char *word);

/* All below: false with p->wrong set when it is not there. */
bool parse_char(struct parse *p, char c);
bool parse_space(struct parse *p);
bool parse_end(struct parse *p);
bool parse_atom(struct parse *p, struct str *out);
/* Quoted or literal. */
bool parse_string(struct parse *p, struct str *out);
bool parse_astring(struct parse *p, struct str *out);
/* An astring with '%' and '*'. */
bool parse_pattern(struct parse *p, struct str *out);
/* *nil: it was NIL. */
bool parse_nstring(struct parse *p, struct str *out, bool *nil);
/* "(" string *(SP string) ")" of astrings; the array lies in the arena. */
bool parse_astrings(struct parse *p, struct str **out, size_t *n);

bool parse_number(struct parse *p, uint32_t *out);
bool parse_nz_number(struct parse *p, uint32_t *out);
/* Of 63 bits (RFC 7162, 7). */
bool parse_number64(struct parse *p, uint64_t *out);

struct range {
	uint32_t from, to; /* as written; 0 is "*" */
};
struct sequence {
	struct range *ranges;
	size_t n;
};
bool parse_sequence(struct parse *p, struct sequence *out);

/* "1-Feb-2026", quoted or not: days since 1970. */
bool parse_date(struct parse *p, int64_t *days);
/* " 1-Feb-2026 12:34:56 +0900" in quotes: seconds since 1970 UTC. */
bool parse_date_time(struct parse *p, int64_t *seconds);

/* The octets of a section's partial: "<" number "." nz-number ">". *has: it was there. */
struct partial {
	bool has;
	uint32_t from, n;
};
bool parse_partial(struct parse *p, struct partial *out);

#endif
