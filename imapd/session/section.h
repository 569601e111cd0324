/* section - what BODY[...] asks for (RFC 3501, 6.4.5), and where that is in a message. */
#ifndef IMAPSESSION_SECTION_H
#define IMAPSESSION_SECTION_H

#include "body.h"
#include "parse.h"

enum section_what { SECTION_ALL, SECTION_HEADER, SECTION_FIELDS, SECTION_FIELDS_NOT, SECTION_TEXT, SECTION_MIME };

struct section {
	enum section_what what;
	uint32_t *numbers; /* of the part */
	size_t n;
	struct str *fields;
	size_t n_fields;
	struct partial partial;
	bool peek;
	struct str name; /* as the answer calls it, without the partial */
};

/* Behind "BODY" or "BODY.PEEK": "[" section "]" and the partial. */
bool section_parse(struct parse *p, struct section *out);

enum section_found { SECTION_FOUND, SECTION_NIL /* there is no such part */, SECTION_FAILED };
/* `made` keeps the text of chosen fields. */
enum section_found section_find(const struct section *section, struct body *b, struct buf *made, struct extent *out);

#endif
