/* delivery - a message on its way into a folder. Inner header of lib/mbox. */
#ifndef MBOX_DELIVERY_H
#define MBOX_DELIVERY_H

#include "mbox/scan.h"

struct mbox_delivery {
	struct mbox_folder folder;
	int fd;
	struct buf out; /* not yet given to the kernel */
	int64_t size, bare_lf;
	char last;	 /* byte before `out` */
	bool pending_cr; /* the slice before ended with a CR, not yet in `out` */
	bool already;
	enum mbox_result failed;
	struct err why;
	struct buf stem;  /* of the name, before ",S=" */
	struct buf final; /* name in new/; empty: it is not there yet */
	char temp[64];	  /* name in tmp/; empty: it is not there any more */
};

#endif
