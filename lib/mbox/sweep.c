#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "mbox/folder.h"

enum { LEFTOVER_S = 36 * 3600 };

/*
 * By ctime, which a restored or freshly written file has of today, whatever its other dates say. Directories of ours are
 * removed folders and indexes that someone died over.
 */
static bool sweep_one(void *ctx, struct str file, unsigned char type)
{
	const struct mbox_folder *f = ctx;
	struct stat st;

	(void)type;
	if (fstatat(f->tmp, file.p, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ctime >= clock_wall_us() / 1000000 - LEFTOVER_S)
		return true;
	if (!S_ISDIR(st.st_mode))
		unlinkat(f->tmp, file.p, 0);
	else if (str_starts(file, STR("tayori-")))
		mbox_remove_tree(f->tmp, file.p);
	return true;
}

void mbox_sweep(const struct mbox_folder *f)
{
	mbox_walk(f->tmp, sweep_one, (void *)(uintptr_t)f);
}
