/*
 * err - what went wrong, as one line for a person, and where in the input.
 *
 * A function that takes a `struct err *` returns false (or -1, or NULL) and fills it; NULL is allowed and means
 * that the caller does not care. All setters return false, so that `return err_set(...)` reads well.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/str.h"

struct err {
	ptrdiff_t at;      /* offset of the byte at which a parser stopped, or -1 */
	const char *start; /* set by the caller to the input's first byte, when it wants `at` */
	char text[240];
};

__attribute__((format(printf, 2, 3))) bool err_set(struct err *err, const char *format, ...);
/* Adds ": " and what errno says. */
__attribute__((format(printf, 2, 3))) bool err_errno(struct err *err, const char *format, ...);
/* For parsers: `rest` begins at the bad byte. */
bool err_at(struct err *err, struct str rest, const char *what);

/* A bug: says so on stderr and aborts. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);
/* Called by panic and by whoever ends the process: a daemon puts its log there. Set once, at start. */
extern void (*panic_hook)(const char *text);

#define ASSERT(cond) ((cond) ? (void)0 : panic("%s:%d: %s", __FILE__, __LINE__, #cond))

#endif
