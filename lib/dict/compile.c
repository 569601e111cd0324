/* compile - table text into an LMDB file that appears whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "dict/inner.h"
#include "dict/text.h"
#include "io/fd.h"

struct compiler {
	int folder;
	const char *name;
	char file[NAME_MAX + 1], temp[NAME_MAX + 1];
	struct str text;
	void (*warn)(void *arg, size_t line, const char *text);
	void *arg;
};

static void warn(const struct compiler *c, size_t line, const char *text)
{
	if (c->warn)
		c->warn(c->arg, line, text);
}

static int put_row(const struct compiler *c, MDB_txn *txn, MDB_dbi dbi, const struct text_row *row)
{
	MDB_val key = { row->key.n, (void *)(uintptr_t)row->key.p };
	MDB_val value = { row->value.n, (void *)(uintptr_t)row->value.p };
	char text[200];

	if (row->bad || row->key.n > DICT_LMDB_KEY_MAX) {
		warn(c, row->line, row->bad ? row->bad : "its key is longer than 511 octets");
		return 0;
	}
	int code = mdb_put(txn, dbi, &key, &value, MDB_NOOVERWRITE);
	if (code != MDB_KEYEXIST)
		return code;
	snprintf(text, sizeof(text), "duplicate key '%.*s'; the first one counts", STR_ARG(str_head(row->key, 100)));
	warn(c, row->line, text);
	return 0;
}

static int put_rows(const struct compiler *c, MDB_env *env)
{
	scoped_text struct text t = { .rest = c->text };
	struct text_row row;
	MDB_txn *txn;
	MDB_dbi dbi;
	int code = mdb_txn_begin(env, NULL, 0, &txn);

	if (code != 0)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &dbi);
	while (code == 0 && text_next(&t, &row))
		code = put_row(c, txn, dbi, &row);
	if (code == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

/* The smallest row is four octets of text and 16 in a page; pages that were split are half empty. */
static size_t map_size(size_t text)
{
	return (text * 16 + (4 << 20)) >> 20 << 20;
}

static bool write_temp(const struct compiler *c, struct err *err)
{
	MDB_env *env;
	int code = mdb_env_create(&env);

	if (code != 0)
		return lmdb_err(err, c->file, code);
	code = mdb_env_set_mapsize(env, map_size(c->text.n));
	if (code == 0)
		code = lmdb_env_open_at(env, c->folder, c->temp, 0, 0600);
	if (code == 0)
		code = put_rows(c, env);
	mdb_env_close(env);
	return code == 0 || lmdb_err(err, c->file, code);
}

/* Who may read the source may read the table. */
static bool set_owner(const struct compiler *c, int fd, struct err *err)
{
	struct stat st;
	mode_t mode = 0644;

	if (fstatat(c->folder, c->name, &st, 0) == 0) {
		mode = st.st_mode & 0666;
		if (fchown(fd, st.st_uid, st.st_gid) < 0)
			return err_errno(err, "%s: giving it the owner of %s", c->file, c->name);
	}
	return fchmod(fd, mode) == 0 || err_errno(err, "%s", c->file);
}

static bool publish(const struct compiler *c, struct err *err)
{
	scoped_fd int fd = openat(c->folder, c->temp, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(err, "%s", c->temp);
	if (!set_owner(c, fd, err))
		return false;
	if (fsync(fd) < 0 || renameat(c->folder, c->temp, c->folder, c->file) < 0 || fsync(c->folder) < 0)
		return err_errno(err, "%s", c->file);
	return true;
}

bool dict_compile(int folder, const char *name, struct str text,
		  void (*warn_row)(void *arg, size_t line, const char *text), void *arg, struct err *err)
{
	struct compiler c = { .name = name, .text = text, .warn = warn_row, .arg = arg };
	const char *why = text_refused(text);
	/* A description of our own, so that the lock is ours too; it goes when it is closed. */
	scoped_fd int dir = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (why)
		return err_set(err, "%s: %s", name, why);
	if (strlen(name) > 200)
		return err_set(err, "%.100s: the name is too long", name);
	snprintf(c.file, sizeof(c.file), "%.200s.lmdb", name);
	snprintf(c.temp, sizeof(c.temp), ".%.200s.lmdb.new", name);
	c.folder = dir;
	if (dir < 0 || flock(dir, LOCK_EX) < 0)
		return err_errno(err, "the folder of %s", name);
	/* left there by a compiler that died */
	if (unlinkat(dir, c.temp, 0) < 0 && errno != ENOENT)
		return err_errno(err, "%s", c.temp);
	if (write_temp(&c, err) && publish(&c, err))
		return true;
	unlinkat(dir, c.temp, 0);
	return false;
}
