#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "mbox/scan.h"

/* Makes sure of the sizes; the name's word is taken only if the file is as long as it says. */
static bool sizes_sure(const struct mbox_folder *f, struct mbox_message *m)
{
	struct stat st;

	if (m->size >= 0 && m->vsize >= m->size &&
	    fstatat(mbox_message_dir(f, m), m->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == m->size)
		return true;
	return mbox_measure(f, m);
}

/* The file has moved to cur/ under that name. */
static void renamed(struct mbox_list *l, struct mbox_message *m, struct buf *to)
{
	struct mbox_name name;

	m->name = arena_str(&l->names, buf_str(to));
	mbox_name_parse(m->name, &name);
	m->base_n = (uint16_t)name.base.n;
	m->flags = mbox_name_flags(name.flags);
	m->in_new = false;
}

/* The message takes the uid and moves to cur/. False with errno. */
static bool tag_one(const struct mbox_folder *f, uint32_t uidvalidity, struct mbox_list *l, struct mbox_message *m,
		    uint32_t uid)
{
	scoped_buf struct buf text = { 0 };
	struct mbox_name name;

	if (!sizes_sure(f, m))
		return false;
	mbox_name_parse(m->name, &name);
	mbox_name_tag(&name, m->size, m->vsize, uidvalidity, uid, &text);
	bool stays = !m->in_new && str_eq(m->name, buf_str(&text)); /* its void tag was the one that it gets */
	if (!stays && mbox_move(mbox_message_dir(f, m), m->name.p, f->cur, buf_cstr(&text)) < 0)
		return false;
	renamed(l, m, &text);
	m->uid = uid;
	return true;
}

/* Whether trying it once more may help. */
static bool passes(int error)
{
	return error != EACCES && error != EPERM && error != ELOOP && error != EISDIR && error != ENAMETOOLONG;
}

bool mbox_take_all(const struct mbox_folder *f, uint32_t uidvalidity, struct mbox_list *l, size_t from, uint32_t uid)
{
	size_t kept = from;
	bool all = true;

	for (size_t i = from; i < l->n; i++, uid++) {
		if (tag_one(f, uidvalidity, l, &l->m[i], uid)) {
			l->m[kept++] = l->m[i];
			continue;
		}
		all &= !passes(errno);
		if (errno != ENOENT)
			mbox_list_skip(l, "cannot take in %.*s: %s", STR_ARG(l->m[i].name), strerror(errno));
	}
	l->n = kept;
	return all;
}

bool mbox_take_to_cur(const struct mbox_folder *f, struct mbox_list *l, struct mbox_message *m)
{
	scoped_buf struct buf to = { 0 };

	buf_add(&to, m->name);
	if (m->base_n == m->name.n)
		buf_add(&to, STR(":2,"));
	if (to.n > MBOX_NAME_MAX || mbox_move(f->new, m->name.p, f->cur, buf_cstr(&to)) < 0)
		return false;
	renamed(l, m, &to);
	return true;
}

bool mbox_sizes_known(const struct mbox_folder *f, struct mbox_list *l, struct mbox_message *m)
{
	if ((m->size >= 0 && m->vsize >= m->size) || mbox_measure(f, m))
		return true;
	if (errno != ENOENT)
		mbox_list_skip(l, "cannot read %.*s: %s", STR_ARG(m->name), strerror(errno));
	return false;
}
