/* Addresses of a header field: groups in pairs, parts without line ends, an end. */
#include "base/err.h"
#include "mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_str(struct str s, size_t size)
{
	ASSERT(s.n <= size && str_find(s, '\n') < 0 && str_find(s, '\r') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena arena = { 0 };
	struct address_iter it = { .rest = str_of(data, size), .arena = &arena };
	struct address a;
	size_t n = 0;
	bool in_group = false;

	while (address_next(&it, &a)) {
		ASSERT(++n <= 2 * size + 2);
		ASSERT(a.kind != ADDRESS_GROUP || !in_group);
		ASSERT(a.kind != ADDRESS_GROUP_END || in_group);
		in_group = a.kind == ADDRESS_GROUP || (in_group && a.kind != ADDRESS_GROUP_END);
		ASSERT(in_group == it.in_group);
		check_str(a.name, size);
		check_str(a.route, size);
		check_str(a.mailbox, size);
		check_str(a.host, size);
		ASSERT(a.kind == ADDRESS_MAILBOX || a.mailbox.n + a.host.n + a.route.n == 0);
	}
	ASSERT(!in_group && it.rest.n == 0);
	return 0;
}
