/* Tables of networks: the first line is the key; a network has the address that it was written with. */
#include "dict/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size), key = str_cut(&text, '\n');
	struct content c = { 0 };
	struct err err = { 0 };
	struct net net;

	if (!net_parse(key, &net)) {
		struct net address = net;
		address.prefix = (uint8_t)(net.size * 8);
		ASSERT(net.prefix <= net.size * 8 && net_has(&net, &address));
	}
	if (rules_read(&cidr_rules, text, &c, &err)) {
		scoped_buf struct buf value = { 0 };
		ASSERT(cidr_get(&c, key, &value, &err) != DICT_ERROR);
	}
	content_free(&c);
	return 0;
}
