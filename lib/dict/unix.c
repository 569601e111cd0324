/* unix - the accounts and groups of this host, read when the table is opened: later the files may lie behind a fence. */
#include <grp.h>
#include <pwd.h>

#include "dict/inner.h"

static void add(struct content *c, const char *name, struct buf *value)
{
	scoped_buf struct buf key = { 0 };

	for (const char *p = name; *p; p++)
		buf_addc(&key, ascii_lower(*p));
	content_add(c, buf_str(&key), buf_str(value));
}

/* The password is left out: nobody who asks should have it. */
static void read_accounts(struct content *c)
{
	scoped_buf struct buf value = { 0 };

	setpwent();
	for (const struct passwd *pw; (pw = getpwent());) {
		buf_reset(&value);
		buf_addf(&value, "%s:x:%u:%u:%s:%s:%s", pw->pw_name, pw->pw_uid, pw->pw_gid, pw->pw_gecos, pw->pw_dir,
			 pw->pw_shell);
		add(c, pw->pw_name, &value);
	}
	endpwent();
}

static void read_groups(struct content *c)
{
	scoped_buf struct buf value = { 0 };

	setgrent();
	for (const struct group *gr; (gr = getgrent());) {
		buf_reset(&value);
		buf_addf(&value, "%s:x:%u:", gr->gr_name, gr->gr_gid);
		for (size_t i = 0; gr->gr_mem[i]; i++)
			buf_addf(&value, "%s%s", i ? "," : "", gr->gr_mem[i]);
		add(c, gr->gr_name, &value);
	}
	endgrent();
}

bool unix_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	(void)stamp;
	if (str_eq(d->name, STR("passwd.byname")))
		read_accounts(c);
	else if (str_eq(d->name, STR("group.byname")))
		read_groups(c);
	else
		return err_set(err, "known are unix:passwd.byname and unix:group.byname");
	return true;
}
