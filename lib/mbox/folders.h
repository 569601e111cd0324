/* folders - names of folders and what lies behind them. Inner header of lib/mbox. */
#ifndef MBOX_FOLDERS_H
#define MBOX_FOLDERS_H

#include "mbox/folder.h"

#define MBOX_SUBSCRIPTIONS "tayori-subscriptions" /* in the home: names, a line each */
enum { MBOX_SUBSCRIPTIONS_MAX = 4 << 20 };

/* Whether a folder of that name is there: not only begun to be made. */
bool mbox_folder_exists(int home, struct str name);

/* The name of a folder whose directory is called that; false when it is none. Does not look at the disk. */
bool mbox_folder_of(struct str file, struct str *name);

#endif
