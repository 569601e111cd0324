/* access - the value of a row in an access table: access(5) as a parsed action. Pure. */
#ifndef SMTP_ACCESS_H
#define SMTP_ACCESS_H

#include "smtp/restrict.h"

enum access_action {
	ACCESS_DUNNO,
	ACCESS_OK,
	ACCESS_REJECT, /* with code and status: REJECT, DEFER, "450 4.7.1 text" */
	ACCESS_DEFER_IF_REJECT,
	ACCESS_DEFER_IF_PERMIT,
	ACCESS_DISCARD,
	ACCESS_HOLD,
	ACCESS_PREPEND,
	ACCESS_WARN,
	ACCESS_INFO,
	ACCESS_CHECKS, /* restrictions, in text */
	ACCESS_BAD,    /* no action that is known here */
};

struct access_row {
	enum access_action action;
	int code;
	uint8_t enh[3];
	struct str text; /* the admin's, may be empty */
};

/* `text` lies in `value`. */
void access_parse(struct str value, struct access_row *out);

#endif
