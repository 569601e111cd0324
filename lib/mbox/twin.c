#include <fcntl.h>

#include "base/random.h"
#include "mbox/place.h"

struct twin {
	const struct mbox_place *p;
	uint64_t ino;
	bool found;
};

static bool see_folder(void *ctx, struct str name, unsigned char type)
{
	struct twin *t = ctx;
	struct stat st;

	(void)type;
	if (name.p[0] == '.' && fstatat(t->p->home, name.p, &st, AT_SYMLINK_NOFOLLOW) == 0)
		t->found = S_ISDIR(st.st_mode) && st.st_ino == t->ino;
	return !t->found;
}

enum mbox_result mbox_place_part(struct mbox_place *p, uint64_t ino, struct err *err)
{
	struct twin t = { p, ino, false };
	struct mbox_record r = p->record;
	uint8_t id[16];
	enum mbox_result result;

	t.found = ino == p->f.home;
	if (p->f.inbox || (!t.found && mbox_walk_all(p->home, see_folder, &t) < 0) || !t.found)
		return MBOX_OK; /* the same folder under another inode: restored, or moved to another disk */
	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), r.id);
	r.uidnext = 1;
	r.n_uidls = 0;
	r.dovecot_uidls = 0;
	if ((result = mbox_draw_uidvalidity(p->home, &r.uidvalidity, err)) ||
	    (result = mbox_folder_store(&p->f, &r, err)))
		return result;
	return mbox_place_reload(p, err);
}
