/* inner - what an open folder holds besides what its users see. Inner header of lib/mbox. */
#ifndef MBOX_INNER_H
#define MBOX_INNER_H

#include "mbox/scan.h"

struct mbox_inner {
	struct mbox_folder folder;
	int pop3; /* its lock, or -1 */
	struct buf record_bytes;
	struct arena record_arena;
	struct mbox_record record;
	struct mbox_list list;
};

#endif
