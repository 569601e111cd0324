#include "mbox/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "io/fd.h"
#include "mbox/sync.h"

#define INBOX STR("INBOX")

static bool is_directory(int at, const char *path)
{
	struct stat st;

	return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

bool mbox_folder_exists(int home, struct str name)
{
	char path[MBOX_PATH_MAX], cur[MBOX_PATH_MAX + 4];

	if (mbox_is_inbox(name))
		return true;
	mbox_folder_path(name, path);
	snprintf(cur, sizeof(cur), "%s/cur", path);
	return is_directory(home, path) && is_directory(home, cur);
}

/* ".inbox" would be INBOX by its name, and is not. */
bool mbox_folder_of(struct str file, struct str *name)
{
	*name = str_skip(file, 1);
	return file.n > 1 && file.p[0] == '.' && mbox_folder_ok(*name) && !mbox_is_inbox(*name);
}

struct rows {
	int home;
	struct mbox_folder_row *rows;
	size_t n, room;
	struct arena *arena;
};

static struct mbox_folder_row *add(struct rows *r, struct str name)
{
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->rows = reallocarray(r->rows, r->room, sizeof(*r->rows));
		if (!r->rows)
			panic("out of memory: %zu folders", r->room);
	}
	r->rows[r->n] = (struct mbox_folder_row){ .name = name };
	return &r->rows[r->n++];
}

static bool see(void *ctx, struct str file, unsigned char type)
{
	struct rows *r = ctx;
	struct str name;

	(void)type;
	if (mbox_folder_of(file, &name) && mbox_folder_exists(r->home, name))
		add(r, arena_str(r->arena, name))->exists = true;
	return true;
}

static int read_subscriptions(int home, struct buf *out)
{
	scoped_fd int fd = mbox_file_open(home, MBOX_SUBSCRIPTIONS, O_RDONLY);

	out->limit = MBOX_SUBSCRIPTIONS_MAX;
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	return fd_read_rest(fd, out);
}

static void add_subscribed(struct rows *r, struct str text)
{
	while (text.n > 0) {
		struct str name = str_cut(&text, '\n');
		if (name.n > 0 && mbox_folder_ok(name))
			add(r, arena_str(r->arena, mbox_is_inbox(name) ? INBOX : name))->subscribed = true;
	}
}

/* Each part before a '.' of a folder that exists names one above it. */
static void add_parents(struct rows *r)
{
	size_t n = r->n;

	for (size_t i = 0; i < n; i++) {
		struct str name = r->rows[i].name;
		for (size_t at = 0; r->rows[i].exists && at < name.n; at++) {
			struct str above = str_head(name, at);
			if (name.p[at] == '.')
				add(r, mbox_is_inbox(above) ? INBOX : above)->children = true;
		}
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct mbox_folder_row *a = pa, *b = pb;
	bool inbox_a = str_eq(a->name, INBOX), inbox_b = str_eq(b->name, INBOX);

	return inbox_a != inbox_b ? inbox_b - inbox_a : str_cmp(a->name, b->name);
}

static void merge(struct rows *r)
{
	size_t kept = 0;

	qsort(r->rows, r->n, sizeof(*r->rows), compare);
	for (size_t i = 0; i < r->n; i++) {
		if (kept == 0 || !str_eq(r->rows[kept - 1].name, r->rows[i].name)) {
			r->rows[kept++] = r->rows[i];
			continue;
		}
		r->rows[kept - 1].exists |= r->rows[i].exists;
		r->rows[kept - 1].subscribed |= r->rows[i].subscribed;
		r->rows[kept - 1].children |= r->rows[i].children;
	}
	r->n = kept;
}

enum mbox_result mbox_folders(struct mbox_user *u, struct arena *arena, struct mbox_folder_row **rows, size_t *n,
			      struct err *err)
{
	struct rows r = { .home = u->home, .arena = arena };
	scoped_buf struct buf text = { 0 };

	if (read_subscriptions(u->home, &text) < 0)
		return mbox_failed(err, "cannot read %s", MBOX_SUBSCRIPTIONS);
	add(&r, INBOX)->exists = true;
	add_subscribed(&r, buf_str(&text));
	if (mbox_walk_all(u->home, see, &r) < 0) {
		free(r.rows);
		return mbox_failed(err, "cannot read the mail folder");
	}
	add_parents(&r);
	merge(&r);
	*n = r.n;
	*rows = arena_alloc(arena, r.n * sizeof(**rows));
	memcpy(*rows, r.rows, r.n * sizeof(**rows));
	free(r.rows);
	return MBOX_OK;
}

/* The list without `name`, and with it at its end when `on`. */
static bool change_list(struct str text, struct str name, bool on, struct buf *out)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');
		if (line.n > 0 && !str_eq(line, name) && !(buf_add(out, line) && buf_addc(out, '\n')))
			return false;
	}
	return !on || (buf_add(out, name) && buf_addc(out, '\n'));
}

static enum mbox_result subscribe(int home, struct str name, bool on, struct err *err)
{
	scoped_buf struct buf text = { 0 }, out = { .limit = MBOX_SUBSCRIPTIONS_MAX };

	if (read_subscriptions(home, &text) < 0)
		return mbox_failed(err, "cannot read %s", MBOX_SUBSCRIPTIONS);
	if (!change_list(buf_str(&text), name, on, &out)) {
		err_set(err, "too many subscriptions");
		return MBOX_REFUSED;
	}
	if (fd_replace_file(home, MBOX_SUBSCRIPTIONS, buf_str(&out), 0600) < 0)
		return mbox_failed(err, "cannot write %s", MBOX_SUBSCRIPTIONS);
	return MBOX_OK;
}

enum mbox_result mbox_subscribe(struct mbox_user *u, struct str name, bool on, struct err *err)
{
	scoped_fd int lock = -1;
	enum mbox_result r;

	if (!mbox_folder_ok(name)) {
		err_set(err, "no name for a folder");
		return MBOX_REFUSED;
	}
	if ((r = mbox_home_lock(u->home, &lock, err)))
		return r;
	return subscribe(u->home, mbox_is_inbox(name) ? INBOX : name, on, err);
}
