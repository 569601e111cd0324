#include "base/err.h"
#include "mbox/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name that parses can be tagged, and the tagged name parses to the tag, the same date and sizes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mbox_name name, again;
	scoped_buf struct buf out = { 0 };

	if (!mbox_name_parse(str_of(data, size), &name))
		return 0;
	mbox_name_flags(name.flags);
	ASSERT(name.base.n + name.info.n <= size);
	mbox_name_tag(&name, 7, 9, 11, 13, &out);
	ASSERT(mbox_name_parse(buf_str(&out), &again));
	ASSERT(again.size == 7 && again.vsize == 9 && again.uidvalidity == 11 && again.uid == 13);
	ASSERT(name.seconds < 0 || again.seconds == name.seconds);
	return 0;
}
