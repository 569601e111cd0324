/* inner - what the files of lib/dict share. Private to lib/dict. */
#ifndef DICT_INNER_H
#define DICT_INNER_H

#include <lmdb.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/hash.h"
#include "dict/dict.h"

/* Which version of a file. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t mtime_ns;
	int error; /* errno of fstatat; the rest is 0 then */
};

/* A loaded version: rows in memory, one value for all, some to choose from, rules in order, or an LMDB environment. */
struct content {
	struct arena arena;
	struct table rows; /* to struct str */
	struct str fixed;  /* p NULL: none */
	struct str *picks;
	size_t n_picks;
	struct rules *rules;
	MDB_env *env;
	MDB_dbi dbi;
	size_t warnings;
	char warning[200];
};

struct dict {
	const struct dict_type *type;
	struct arena arena;
	struct str name; /* behind "type:" */
	struct str domain;
	int folder;
	const char *file;
	struct stamp seen; /* the last version that was loaded, or refused */
	int64_t next_check_ms;
	struct content content;
	struct buf key;
};

struct dict_type {
	const char *name;
	const char *suffix; /* of the file; NULL: there is none */
	bool renamed_whole; /* a new version appears only by rename */
	bool pattern;	    /* see dict_is_pattern */
	/* *c is empty; false: it may be half filled. `stamp` of what was read, for types with a file. */
	bool (*load)(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
	/* NULL: by the rows in memory, in lower case. *value is empty. */
	enum dict_result (*get)(const struct content *c, struct str key, struct buf *value, struct err *err);
	bool (*each)(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
		     struct err *err);
};

void content_free(struct content *c);
void content_warn(struct content *c, size_t line, const char *text);
void stamp_take(const struct stat *st, struct stamp *out);
bool stamp_same(const struct stamp *a, const struct stamp *b);

/* The whole text of a regular file that nobody wrote to meanwhile. */
bool content_read(const struct dict *d, struct buf *text, struct stamp *stamp, struct err *err);
/* False: the key is there already. */
bool content_add(struct content *c, struct str key, struct str value);

bool texthash_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
bool passwd_file_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
bool inline_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
bool static_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);

bool randmap_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
enum dict_result static_get(const struct content *c, struct str key, struct buf *value, struct err *err);
enum dict_result randmap_get(const struct content *c, struct str key, struct buf *value, struct err *err);
bool fail_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
enum dict_result fail_get(const struct content *c, struct str key, struct buf *value, struct err *err);
bool no_rows(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
	     struct err *err);

bool unix_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);

bool cidr_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
bool pcre_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
bool regexp_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);

bool lmdb_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err);
enum dict_result lmdb_get(const struct content *c, struct str key, struct buf *value, struct err *err);
bool lmdb_each(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
	       struct err *err);
/* mdb_env_open of a name in a folder: 0, an errno, or LMDB's code. */
int lmdb_env_open_at(MDB_env *env, int folder, const char *file, unsigned flags, mode_t mode);
bool lmdb_err(struct err *err, const char *what, int code);

#endif
