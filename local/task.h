/* task - what 'tayori mailbox' does in a user's mailbox, in a process of that user. */
#ifndef LOCAL_TASK_H
#define LOCAL_TASK_H

#include "ipc/messages.h"

#define TASK_MEMORY (4ull << 30) /* address space: the index is mapped */

/* In the child; `task` is a struct mailbox_task. Lines for people go into its file, lists as rows with tabs. The exit status: TASK_... */
int task_run(void *task);

#endif
