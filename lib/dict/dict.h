/*
 * dict - lookup tables behind one interface.
 *
 *	texthash:FILE      Postfix's table text, read into memory: "key value" lines, # comments, lines that begin with a
 *	                   blank go on. "name: value", as in aliases(5), is taken too. The first of two equal keys counts.
 *	lmdb:FILE          FILE.lmdb, made by dict_compile (or by another program's postmap, at rest)
 *	inline:{ {k=v} }   rows that stand in the configuration
 *	static:value       the same for every key
 *	randmap:{ v, ... } one of the values, by chance
 *	fail:name          DICT_ERROR for every key
 *	pcre:FILE          "/pattern/flags value" in order, as in Postfix's pcre_table(5)
 *	regexp:FILE        the same with POSIX extended expressions (done by PCRE2 too, which has limits where regexec has none)
 *	cidr:FILE          "network value" in order; keys are addresses
 *	unix:passwd.byname, unix:group.byname
 *	                   the accounts (groups) of this host, as they were when the table was opened
 *	passwd-file:FILE   authd's users: does the key name one? The value is the canonical name.
 *
 * Keys know no case of ASCII letters, unless a pattern says so. Limits: text of 64 MiB, a logical line of 64 KiB, a key in
 * LMDB of 511 octets, 10,000 patterns or 100,000 networks; "if" in "if" 50 deep; for each match of a pattern 200,000 steps
 * and 4 MiB, over which the look-up is DICT_ERROR; a value with parts of the key of 64 KiB.
 */
#ifndef DICT_DICT_H
#define DICT_DICT_H

#include "base/buf.h"
#include "base/err.h"

enum { DICT_TEXT_MAX = 64 << 20, DICT_LINE_MAX = 64 << 10, DICT_LMDB_KEY_MAX = 511, DICT_CHECK_MS = 1000 };

struct dict;

/*
 * Opens "type:name". For a type with a file: `folder` is the descriptor of the file's folder (duplicated here) and
 * `file` its name in there without ".lmdb", else -1 and NULL. `domain`: what passwd-file adds to users without one.
 * NULL with err: unknown type, no such file, half-written text.
 */
struct dict *dict_open(struct str spec, int folder, const char *file, struct str domain, struct err *err);
/* NULL is allowed. */
void dict_close(struct dict *d);

enum dict_result { DICT_MISSING, DICT_FOUND, DICT_ERROR };
/* Replaces what is in `value`. DICT_ERROR, with err: no answer now, which is not the same as "missing". */
enum dict_result dict_get(struct dict *d, struct str key, struct buf *value, struct err *err);

/* Its rows fit whole keys only: who looks for parts of a key (a domain's parents, user@) leaves such a table out. */
bool dict_is_pattern(const struct dict *d);
/* Is a file (and so its folder) needed to open "type:name"? False for an unknown type too. */
bool dict_has_file(struct str spec);

enum dict_change {
	DICT_SAME,
	DICT_NEW,   /* the file was replaced or changed, and the new version is in use */
	DICT_STALE, /* the new version is half-written or cannot be read: the one before stays; told once, in err */
};
/*
 * Looks at most once in DICT_CHECK_MS whether there is a new version; `now_ms` is clock_mono_ms(). A text that was
 * written in this very second may not be whole yet and is taken a second later.
 */
enum dict_change dict_changed(struct dict *d, int64_t now_ms, struct err *err);

/* "line 7: duplicate key (and 2 more)" about the version in use; empty: none. Such lines are passed over. */
const char *dict_warning(const struct dict *d);

/* All rows: sorted from LMDB, patterns and networks in their order as written, else in no order. False: `row` said so, or with err a failure. */
bool dict_each(struct dict *d, bool (*row)(void *arg, struct str key, struct str value), void *arg, struct err *err);

/*
 * Compiles table text into the file `name`.lmdb of the folder: written beside, flushed, renamed, so that readers see the
 * old or the new one whole. It gets the permissions and owner of the file `name`, when there is one. Two compilers in a
 * folder wait for each other. `warn` hears of lines that are passed over. Uses the working directory of the process.
 */
bool dict_compile(int folder, const char *name, struct str text, void (*warn)(void *arg, size_t line, const char *text),
		  void *arg, struct err *err);

#endif
