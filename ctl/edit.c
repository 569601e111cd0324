#include "edit.h"

/* Does this raw line begin the assignment of that name? */
static bool assigns(struct str raw, struct str name)
{
	return raw.n > 0 && raw.p[0] != ' ' && raw.p[0] != '\t' && raw.p[0] != '#' && str_find(raw, '=') >= 0 &&
	       str_eq(str_trim(str_cut(&raw, '=')), name);
}

void edit_assign(struct str text, struct str name, struct str value, struct buf *out)
{
	bool skipping = false, done = false;

	while (text.n > 0) {
		struct str raw = str_cut(&text, '\n');
		bool continues = raw.n > 0 && (raw.p[0] == ' ' || raw.p[0] == '\t');
		if (skipping && continues)
			continue;
		skipping = assigns(raw, name);
		if (!skipping)
			buf_add(out, raw);
		else if (!done)
			buf_addf(out, "%.*s = %.*s", STR_ARG(name), STR_ARG(value));
		else
			continue; /* given twice: the first line holds it now */
		done = done || skipping;
		buf_addc(out, '\n');
	}
	if (!done)
		buf_addf(out, "%.*s = %.*s\n", STR_ARG(name), STR_ARG(value));
}
