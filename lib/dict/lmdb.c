/* lmdb - tables in LMDB files, read only: they are replaced by rename, never changed in place, so no locks are needed. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dict/inner.h"
#include "io/fd.h"

bool lmdb_err(struct err *err, const char *what, int code)
{
	return err_set(err, "%s: %s", what, mdb_strerror(code));
}

/* A process behind the fence reaches files only from folders that it holds, and LMDB only opens by name. */
int lmdb_env_open_at(MDB_env *env, int folder, const char *file, unsigned flags, mode_t mode)
{
	scoped_fd int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fchdir(folder) < 0)
		return errno;
	int code = mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOLOCK | flags, mode);
	if (back >= 0 && fchdir(back) < 0)
		return errno;
	return code;
}

/* A page behind the end of a file that was cut would kill us when it is read. */
static bool is_whole(MDB_env *env, off_t size)
{
	MDB_envinfo info;
	MDB_stat stat;
	size_t bytes;

	return mdb_env_info(env, &info) == 0 && mdb_env_stat(env, &stat) == 0 &&
	       !__builtin_mul_overflow(info.me_last_pgno + 1, (size_t)stat.ms_psize, &bytes) && bytes <= (size_t)size;
}

static int begin(const struct content *c, MDB_txn **txn)
{
	return mdb_txn_begin(c->env, NULL, MDB_RDONLY, txn);
}

static int open_main(struct content *c)
{
	MDB_txn *txn;
	int code = begin(c, &txn);

	if (code == 0) {
		code = mdb_dbi_open(txn, NULL, 0, &c->dbi);
		mdb_txn_abort(txn);
	}
	return code;
}

bool lmdb_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct stat st;
	int fd;

	if (fstatat(d->folder, d->file, &st, 0) < 0)
		return err_errno(err, "%s cannot be opened", d->file);
	if (!S_ISREG(st.st_mode))
		return err_set(err, "%s is no regular file", d->file);
	int code = mdb_env_create(&c->env);
	/* The size that it was written with may be far larger than the file, and address space is limited. */
	if (code == 0)
		code = mdb_env_set_mapsize(c->env, ((size_t)st.st_size + page) / page * page);
	if (code == 0)
		code = lmdb_env_open_at(c->env, d->folder, d->file, MDB_RDONLY, 0);
	if (code == 0)
		code = mdb_env_get_fd(c->env, &fd);
	if (code != 0)
		return lmdb_err(err, "cannot be opened", code);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "cannot be read");
	stamp_take(&st, stamp);
	if (!is_whole(c->env, st.st_size))
		return err_set(err, "is cut short: half-written?");
	code = open_main(c);
	return code == 0 || lmdb_err(err, "cannot be read", code);
}

static struct str bytes(MDB_val v)
{
	return str_of(v.mv_data, v.mv_size);
}

/* Other programs' postmap ends keys and values with a NUL. */
static struct str without_nul(struct str s)
{
	return s.n > 0 && s.p[s.n - 1] == '\0' ? str_head(s, s.n - 1) : s;
}

static int get(MDB_txn *txn, MDB_dbi dbi, struct str key, MDB_val *found)
{
	char ended[DICT_LMDB_KEY_MAX + 1];
	MDB_val k = { key.n, (void *)(uintptr_t)key.p };
	int code = mdb_get(txn, dbi, &k, found);

	if (code != MDB_NOTFOUND || key.n >= DICT_LMDB_KEY_MAX)
		return code;
	memcpy(ended, key.p, key.n);
	ended[key.n] = '\0';
	k = (MDB_val){ key.n + 1, ended };
	return mdb_get(txn, dbi, &k, found);
}

enum dict_result lmdb_get(const struct content *c, struct str key, struct buf *value, struct err *err)
{
	MDB_txn *txn;
	MDB_val found;

	if (key.n == 0 || key.n > DICT_LMDB_KEY_MAX)
		return DICT_MISSING;
	int code = begin(c, &txn);
	if (code == 0) {
		code = get(txn, c->dbi, key, &found);
		if (code == 0 && !buf_add(value, without_nul(bytes(found))))
			code = ENOMEM;
		mdb_txn_abort(txn);
	}
	if (code != 0 && code != MDB_NOTFOUND)
		lmdb_err(err, "cannot be read", code);
	return code == 0 ? DICT_FOUND : code == MDB_NOTFOUND ? DICT_MISSING : DICT_ERROR;
}

bool lmdb_each(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
	       struct err *err)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	bool go_on = true;
	int code = begin(c, &txn);

	if (code != 0)
		return lmdb_err(err, "cannot be read", code);
	code = mdb_cursor_open(txn, c->dbi, &cursor);
	if (code == 0) {
		while (go_on && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
			go_on = row(arg, without_nul(bytes(key)), without_nul(bytes(value)));
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	if (code != 0 && code != MDB_NOTFOUND)
		return lmdb_err(err, "cannot be read", code);
	return go_on;
}
