/*
 * import - takes over a Maildir++ that Dovecot or Courier kept, and gives it back.
 *
 * Kept are UIDs, UIDVALIDITY, UIDNEXT, keywords, dates, subscriptions and the unique ids of POP3. The other server must not
 * run meanwhile, its control files must lie in the folders (Dovecot: no INDEX= or CONTROL= elsewhere), and the layout
 * must be Maildir++. Folders are named in UTF-8 afterwards. As long as a folder is not imported to its end, nobody can
 * open it, and what is to be delivered waits. README has the states in between.
 *
 * POP3 ids of Dovecot: those that its list names, else what it shows by default (pop3_uidl_format = %08Xu%08Xv).
 */
#ifndef MBOX_IMPORT_H
#define MBOX_IMPORT_H

#include "mbox/user.h"

/*
 * All folders of the home that have no record yet; doing it again goes on where it was cut off. A folder that cannot be
 * imported is told with the reason, and the others go on; then the result is that of the first one. MISSING: nothing
 * here is another server's.
 */
enum mbox_result mbox_import(int home, const struct mbox_report *report, struct err *err);

/*
 * Gives all folders back, those too that were created since: messages under their old names, with the flags of now; those
 * that came later with the UIDs that they have here. Refused for a folder whose record is damaged. MISSING: nothing
 * here was imported.
 */
enum mbox_result mbox_import_undo(int home, const struct mbox_report *report, struct err *err);

#endif
