#include "mbox/user.h"

#include <stdlib.h>

#include "mbox/sync.h"

struct mbox_user *mbox_user_new(int home)
{
	struct mbox_user *u = calloc(1, sizeof(*u));

	if (!u)
		panic("out of memory: user");
	u->home = home;
	u->index.home = home;
	u->index.mark = -1;
	return u;
}

void mbox_user_free(struct mbox_user **u)
{
	if (!*u)
		return;
	mbox_index_close(&(*u)->index);
	free(*u);
	*u = NULL;
}

static int count_recent(struct mbox_tx *tx, const struct mbox_index_folder *d, uint32_t *n)
{
	struct mbox_flags_row flags;
	struct mbox_walk w;
	uint32_t uid;
	int code = mbox_walk_begin(tx, DB_FLAGS, d->number, d->recent_from, &w);

	*n = 0;
	if (code)
		return code;
	while ((code = mbox_walk_flags(&w, &uid, &flags)) == 0)
		++*n;
	mbox_walk_end(&w);
	return code == MDB_NOTFOUND ? 0 : code;
}

static enum mbox_result read_status(struct mbox_user *u, struct mbox_place *p, struct mbox_status *out, struct err *err)
{
	struct mbox_index_folder d;
	struct mbox_tx tx;
	enum mbox_result r = mbox_sync(u, p, &d, err);

	if (r)
		return r;
	*out = (struct mbox_status){
		.uidvalidity = d.uidvalidity,
		.uidnext = d.uidnext,
		.messages = d.messages,
		.unseen = d.unseen,
		.deleted = d.deleted,
		.modseq = d.modseq,
		.octets = d.octets,
	};
	memcpy(out->id, p->record.id, sizeof(out->id));
	int code = mbox_index_read(&u->index, &tx);
	if (!code) {
		code = count_recent(&tx, &d, &out->recent);
		mbox_index_end(&tx);
	}
	return code ? mbox_index_failed(&u->index, code, err) : MBOX_OK;
}

enum mbox_result mbox_status(struct mbox_user *u, struct str name, struct mbox_status *out, struct err *err)
{
	struct mbox_place p;
	enum mbox_result r = mbox_place_open(u->home, name, false, &p, err);

	if (!r && (r = read_status(u, &p, out, err)) && u->index.damaged)
		r = read_status(u, &p, out, err);
	mbox_place_close(&p);
	return r;
}
