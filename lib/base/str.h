/*
 * str - a borrowed slice of bytes: pointer and length, never owned, not ended by NUL.
 *
 * Whoever lends the bytes keeps them alive. Bytes may be any value, NUL included. The empty slice is {0}.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct str {
	const char *p;
	size_t n;
};

/* A slice of a string literal, usable in initialisers. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* For "%.*s": names its argument twice, so it must have no effect. The length is cut to what printf can take. */
#define STR_ARG(s) ((s).n > 1 << 20 ? 1 << 20 : (int)(s).n), ((s).p ? (s).p : "")

/* From a C string; NULL gives the empty slice. */
static inline struct str str_from(const char *c)
{
	return (struct str){ c, c ? strlen(c) : 0 };
}

static inline struct str str_of(const void *p, size_t n)
{
	return (struct str){ p, n };
}

/* Byte for byte the same. */
static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The same but for the case of ASCII letters. */
bool str_ieq(struct str a, struct str b);
/* Order of bytes, as memcmp; a prefix comes first. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Index of the first (last) `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_rfind(struct str s, char c);

/* All but the first `n` bytes (empty when there are fewer); the first `n` bytes (all when there are fewer). */
struct str str_skip(struct str s, size_t n);
struct str str_head(struct str s, size_t n);

/* Takes what stands before the first `c` and leaves what stands after it; without a `c` takes all, leaves nothing. */
struct str str_cut(struct str *s, char c);

/* Eats `c` (the ASCII-case-blind `word`) when `s` begins with it; says whether it did. */
bool str_eat(struct str *s, char c);
bool str_eat_word(struct str *s, struct str word);

/* Without blanks (space, tab) at both ends. */
struct str str_trim(struct str s);

/*
 * A decimal number of the whole slice, at most `most`. No sign, no blanks. False when it is none or is too large;
 * *out is then untouched.
 */
bool str_u64(struct str s, uint64_t most, uint64_t *out);

static inline bool ascii_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_alnum(char c) { return ascii_alpha(c) || ascii_digit(c); }
static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
/* 0..15, or -1. */
int ascii_hex(char c);

#endif
