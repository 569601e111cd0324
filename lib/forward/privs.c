#include "forward/privs.h"

#include <pwd.h>
#include <stdlib.h>

void privs_find(struct privs *p, struct str name)
{
	scoped_buf struct buf text = { 0 };

	buf_add(&text, name);
	const struct passwd *pw = getpwnam(buf_cstr(&text));
	free(p->name);
	*p = (struct privs){ 0 };
	if (pw && pw->pw_uid != 0 && pw->pw_gid != 0)
		*p = (struct privs){ strdup(buf_cstr(&text)), pw->pw_uid, pw->pw_gid };
}
