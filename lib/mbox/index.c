#include "mbox/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/folder.h"

enum {
	MAP_BYTES_MIN = 1 << 20,
	READERS_MAX = 510,
	WRITE_TRIES = 64,
	OPEN_TRIES = 4,
	UNCLEAN_MAX = 5,
	SPARE_BYTES = 128 * 1024,
	VERSION = 1,
};

#define FOLDER "tayori-index"
#define DATA FOLDER "/data.mdb"
#define MARK "opened"

static const char *const names[DB_COUNT] = {
	[DB_ABOUT] = "about",	      [DB_FOLDERS] = "folders",	      [DB_FLAGS] = "flags",	[DB_FACTS] = "facts",
	[DB_ENVELOPES] = "envelopes", [DB_STRUCTURES] = "structures", [DB_CHANGES] = "changes", [DB_GONE] = "gone",
};

uint32_t mbox_index_sum(struct str key, struct str value)
{
	const uint64_t odd = 0x9e3779b97f4a7c15;
	uint64_t h = key.n * odd + value.n, word;

	for (int part = 0; part < 2; part++) {
		struct str s = part ? value : key;
		for (; s.n >= 8; s.p += 8, s.n -= 8) {
			memcpy(&word, s.p, 8);
			h = (h ^ word) * odd;
			h ^= h >> 32;
		}
		word = 0;
		memcpy(&word, s.n ? s.p : "", s.n);
		h = (h ^ word) * odd;
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ h >> 32);
}

static bool means_damage(int code)
{
	switch (code) {
	case MDB_NOTFOUND: /* where it comes here, something was missing that must be there */
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_RSLOT:
	case MDB_BAD_TXN:
	case MDB_BAD_VALSIZE:
	case EINVAL: /* our own arguments are right */
	case MDB_BAD_DBI:
	case MDB_DBS_FULL:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL: return true;
	default: return false;
	}
}

enum mbox_result mbox_index_failed(struct mbox_index *ix, int code, struct err *err)
{
	struct statvfs vfs;

	ix->damaged |= means_damage(code);
	if (code == EIO && fstatvfs(ix->home, &vfs) == 0 && vfs.f_bavail == 0)
		code = ENOSPC; /* LMDB's word for a write that was cut short */
	if (code == MDB_PANIC) /* the disk failed at a commit: what is there is sound, but must be opened again */
		ix->ino = 0;
	err_set(err, "%s: %s", FOLDER, mdb_strerror(code));
	return code == ENOSPC || code == EDQUOT || code == MDB_MAP_FULL ? MBOX_FULL : MBOX_IO;
}

uint32_t mbox_about_sum(const struct mbox_about *about)
{
	return mbox_index_sum(STR("about"), str_of(about, offsetof(struct mbox_about, sum)));
}

int mbox_about_read(struct str value, struct mbox_about *out)
{
	if (value.n != sizeof(*out))
		return MDB_INCOMPATIBLE;
	memcpy(out, value.p, sizeof(*out));
	return out->version == VERSION && out->next && out->sum == mbox_about_sum(out) ? 0 : MDB_INCOMPATIBLE;
}

static int is_version(struct mbox_tx *tx)
{
	MDB_val key = mbox_val(STR("about")), value;
	struct mbox_about about;
	int code = mdb_get(tx->txn, tx->dbi[DB_ABOUT], &key, &value);

	return code ? code : mbox_about_read(str_of(value.mv_data, value.mv_size), &about);
}

static int open_dbs(struct mbox_index *ix, MDB_txn *txn, unsigned flags)
{
	int code = 0;

	for (int i = 0; i < DB_COUNT && !code; i++)
		code = mdb_dbi_open(txn, names[i], flags, &ix->dbi[i]);
	return code ? code : is_version(&(struct mbox_tx){ txn, ix->dbi });
}

/* Only where nothing is: a table that cannot be found is no new one. */
static int is_empty(struct mbox_tx *tx)
{
	MDB_stat stat;
	int code = 0;

	for (int i = 0; i < DB_COUNT && !code; i++) {
		code = mdb_stat(tx->txn, tx->dbi[i], &stat);
		if (!code && stat.ms_entries > 0)
			code = MDB_CORRUPTED;
	}
	return code;
}

static int create_dbs(struct mbox_tx *tx, void *ctx)
{
	struct mbox_about about = { .version = VERSION, .next = 1 };
	MDB_val key = mbox_val(STR("about")), value = { sizeof(about), &about };
	int code = open_dbs(ctx, tx->txn, MDB_CREATE);

	if (code != MDB_NOTFOUND)
		return code;
	about.sum = mbox_about_sum(&about);
	code = is_empty(tx);
	return code ? code : mdb_put(tx->txn, tx->dbi[DB_ABOUT], &key, &value, MDB_NOOVERWRITE);
}

static int open_or_create_dbs(struct mbox_index *ix)
{
	struct mbox_tx tx;
	int code = mbox_index_read(ix, &tx);

	if (code)
		return code;
	code = open_dbs(ix, tx.txn, 0);
	if (code) {
		mbox_index_end(&tx);
		return code == MDB_NOTFOUND ? mbox_index_write(ix, create_dbs, ix) : code;
	}
	return mdb_txn_commit(tx.txn); /* so that the handles stay */
}

/* A page behind the end of a file that was cut would kill us when it is read. */
static bool is_whole(const struct mbox_index *ix, off_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
	MDB_envinfo info;
	MDB_stat stat;

	return (size_t)size >= 2 * page && mdb_env_info(ix->env, &info) == 0 && mdb_env_stat(ix->env, &stat) == 0 &&
	       !__builtin_mul_overflow(info.me_last_pgno + 1, (size_t)stat.ms_psize, &bytes) && bytes <= (size_t)size;
}

/*
 * A damaged page can kill whoever reads it, and the next one, and so on. So the file `opened` has an octet for each time that
 * the index was opened, by one who was alone with it, since it was last closed in an orderly way.
 */
static bool mark_open(struct mbox_index *ix, int dir)
{
	struct stat st;

	ix->mark = mbox_file_open(dir, MARK, O_WRONLY | O_CREAT | O_APPEND);
	if (ix->mark < 0 || flock(ix->mark, LOCK_EX | LOCK_NB) < 0)
		return true;
	bool good = fstat(ix->mark, &st) < 0 || st.st_size < UNCLEAN_MAX;
	if (good)
		fd_write_all(ix->mark, STR("!"));
	flock(ix->mark, LOCK_SH);
	return good;
}

/* The map need not be as large as it was when it was written, since it grows. */
static size_t map_bytes(off_t size)
{
	size_t bytes = MAP_BYTES_MIN;

	while (bytes < (size_t)size && bytes < SIZE_MAX / 4)
		bytes *= 2;
	return bytes;
}

/* ENOMEM may come from a page that says that the index is larger than all memory. */
static int no_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return ENOMEM;
	munmap(p, bytes);
	return MDB_CORRUPTED;
}

/*
 * LMDB opens by name only. From within its folder both of its files are of one index, even when the folder gets
 * another name meanwhile.
 */
static int env_open(MDB_env *env, int dir)
{
	scoped_fd int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (back < 0 || fchdir(dir) < 0)
		return errno;
	int code = mdb_env_open(env, ".", MDB_NOTLS | MDB_NOMETASYNC, 0600);
	if (fchdir(back) < 0)
		panic("no way back from %s: %m", FOLDER);
	return code;
}

static bool is_file(int dir, const char *name, off_t *size)
{
	struct stat st;
	bool there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	*size = there ? st.st_size : 0;
	return there ? S_ISREG(st.st_mode) : errno == ENOENT;
}

static int open_in(struct mbox_index *ix, int dir)
{
	off_t size, lock_size;
	struct stat st;
	int fd, code;

	if (!is_file(dir, "data.mdb", &size) || !is_file(dir, "lock.mdb", &lock_size) || !mark_open(ix, dir))
		return MDB_CORRUPTED;
	if ((code = mdb_env_create(&ix->env)))
		return code;
	if ((code = mdb_env_set_maxdbs(ix->env, DB_COUNT)) || (code = mdb_env_set_maxreaders(ix->env, READERS_MAX)) ||
	    (code = mdb_env_set_mapsize(ix->env, map_bytes(size))) || (code = env_open(ix->env, dir)))
		return code == ENOMEM ? no_memory(map_bytes(size)) : code;
	if ((code = mdb_env_get_fd(ix->env, &fd)))
		return code;
	if (fstat(fd, &st) < 0)
		return errno;
	ix->dev = st.st_dev;
	ix->ino = st.st_ino;
	return is_whole(ix, st.st_size) ? open_or_create_dbs(ix) : MDB_CORRUPTED;
}

/* Where there is no folder of that name it is made. */
static int try_open(struct mbox_index *ix)
{
	scoped_fd int dir = mbox_directory_open(ix->home, FOLDER);

	if (dir < 0 && errno == ENOENT) {
		if (mkdirat(ix->home, FOLDER, 0700) < 0 && errno != EEXIST)
			return errno;
		dir = mbox_directory_open(ix->home, FOLDER);
	}
	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? MDB_CORRUPTED : errno;
	return open_in(ix, dir);
}

void mbox_index_close(struct mbox_index *ix)
{
	if (ix->env)
		mdb_env_close(ix->env);
	ix->env = NULL;
	if (ix->mark >= 0 && !ix->damaged)
		(void)!ftruncate(ix->mark, 0);
	fd_close(&ix->mark);
}

enum mbox_result mbox_index_remove(struct mbox_index *ix, struct err *err)
{
	char aside[64];

	ix->damaged = true;
	mbox_index_close(ix);
	snprintf(aside, sizeof(aside), "tmp/%s.%016llx", FOLDER, (unsigned long long)random_u64());
	if (mkdirat(ix->home, "tmp", 0700) < 0 && errno != EEXIST)
		return mbox_failed(err, "cannot create tmp/");
	if (renameat(ix->home, FOLDER, ix->home, aside) < 0 && errno != ENOENT)
		return mbox_failed(err, "cannot move %s away", FOLDER);
	ix->damaged = false;
	/* what cannot be removed is swept; it may be a file or a link too */
	if (mbox_remove_tree(ix->home, aside) < 0)
		unlinkat(ix->home, aside, 0);
	return MBOX_OK;
}

/* Whether what is open is what has the name; a file that was cut meanwhile counts as damaged. */
static bool is_current(struct mbox_index *ix)
{
	struct stat st;

	if (!ix->env || fstatat(ix->home, DATA, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != ix->dev ||
	    st.st_ino != ix->ino)
		return false;
	ix->damaged |= !is_whole(ix, st.st_size);
	return true;
}

enum mbox_result mbox_index_ready(struct mbox_index *ix, struct err *err)
{
	enum mbox_result r = MBOX_OK;

	for (int try = 0; try < OPEN_TRIES; try++) {
		bool current = is_current(ix);
		if (current && !ix->damaged)
			return MBOX_OK;
		if (!current) /* another one has dealt with it */
			ix->damaged = false;
		if (ix->damaged && (r = mbox_index_remove(ix, err)))
			return r;
		mbox_index_close(ix);
		int code = try_open(ix);
		ix->opened++;
		if (!code)
			continue; /* once more: it may have been moved away meanwhile */
		r = mbox_index_failed(ix, code, err);
		if (!ix->damaged) {
			mbox_index_close(ix);
			return r;
		}
		if ((r = mbox_index_remove(ix, err)))
			return r;
	}
	err_set(err, "%s cannot be kept: it is damaged or removed again and again", FOLDER);
	return MBOX_IO;
}

/* Another process has made the map grow; or all places for readers are taken by dead ones. */
static int begin(struct mbox_index *ix, unsigned flags, struct mbox_tx *tx)
{
	int dead, code;

	tx->dbi = ix->dbi;
	for (int try = 0; try < 4; try++) {
		code = mdb_txn_begin(ix->env, NULL, flags, &tx->txn);
		if (code == MDB_MAP_RESIZED)
			code = mdb_env_set_mapsize(ix->env, 0);
		else if (code == MDB_READERS_FULL)
			code = mdb_reader_check(ix->env, &dead);
		else
			return code;
		if (code)
			return code;
	}
	return EAGAIN;
}

int mbox_index_read(struct mbox_index *ix, struct mbox_tx *tx)
{
	return begin(ix, MDB_RDONLY, tx);
}

void mbox_index_end(struct mbox_tx *tx)
{
	mdb_txn_abort(tx->txn);
}

/* A reader that was killed keeps old pages from being used again: it may be enough to forget it. */
static int grow(struct mbox_index *ix)
{
	MDB_envinfo info;
	int dead = 0, code = mdb_reader_check(ix->env, &dead);

	if (!code && !dead && !(code = mdb_env_info(ix->env, &info)))
		code = mdb_env_set_mapsize(ix->env, info.me_mapsize * 2);
	return code;
}

/*
 * A change is written to other pages than what it replaces. Some are kept behind the end, so that on a full disk messages can still be
 * expunged; after a few changes the pages given back are enough.
 */
static void keep_spare(const struct mbox_index *ix)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd;

	if (mdb_env_get_fd(ix->env, &fd) || fstat(fd, &st) < 0 || mdb_env_info(ix->env, &info) || mdb_env_stat(ix->env, &stat))
		return;
	off_t used = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
	if (st.st_size < used + SPARE_BYTES / 2)
		(void)!fallocate(fd, 0, used, SPARE_BYTES);
}

int mbox_index_write(struct mbox_index *ix, int (*work)(struct mbox_tx *tx, void *ctx), void *ctx)
{
	struct mbox_tx tx;
	int code = MDB_MAP_FULL;

	keep_spare(ix);
	for (int try = 0; try < WRITE_TRIES && code == MDB_MAP_FULL; try++) {
		if (try > 0 && (code = grow(ix)))
			return code;
		if ((code = begin(ix, 0, &tx)))
			return code;
		code = work(&tx, ctx);
		if (!code)
			code = mdb_txn_commit(tx.txn);
		else
			mdb_txn_abort(tx.txn);
	}
	return code;
}
