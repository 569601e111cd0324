#include "base/net.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool take(struct str text, struct net *out)
{
	char room[INET6_ADDRSTRLEN];
	bool six = str_find(text, ':') >= 0;

	*out = (struct net){ .size = six ? 16 : 4, .prefix = six ? 128 : 32 };
	if (text.n >= sizeof(room) || memchr(text.p ? text.p : "", '\0', text.n))
		return false;
	memcpy(room, text.p ? text.p : "", text.n);
	room[text.n] = '\0';
	return inet_pton(six ? AF_INET6 : AF_INET, room, out->octets) == 1;
}

static bool unbracket(struct str *text)
{
	if (text->n < 2 || text->p[0] != '[' || text->p[text->n - 1] != ']')
		return false;
	*text = str_of(text->p + 1, text->n - 2);
	return true;
}

bool net_address(struct str text, struct net *out)
{
	unbracket(&text);
	return take(text, out);
}

struct str net_owner(struct str address, char out[NET_TEXT_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct net net;

	if (!take(address, &net) || net.size == 4) {
		snprintf(out, NET_TEXT_MAX, "%.*s", STR_ARG(str_head(address, NET_TEXT_MAX - 1)));
	} else if (memcmp(net.octets, mapped, sizeof(mapped)) == 0) {
		inet_ntop(AF_INET, net.octets + 12, out, NET_TEXT_MAX);
	} else {
		memset(net.octets + 8, 0, 8);
		inet_ntop(AF_INET6, net.octets, out, NET_TEXT_MAX);
	}
	return str_from(out);
}

static bool host_bits(const struct net *n)
{
	for (size_t bit = n->prefix; bit < n->size * 8u; bit++)
		if (n->octets[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

const char *net_parse(struct str text, struct net *out)
{
	uint64_t prefix;

	unbracket(&text);
	bool has_prefix = str_find(text, '/') >= 0;
	struct str address = str_cut(&text, '/');
	unbracket(&address);
	if (!take(address, out))
		return "is no address and no network";
	if (!has_prefix)
		return NULL;
	if (!str_u64(text, out->size * 8u, &prefix))
		return out->size == 4 ? "has no length of 0 to 32 behind its /"
				      : "has no length of 0 to 128 behind its /";
	out->prefix = (uint8_t)prefix;
	return host_bits(out) ? "is no network: bits behind its length are set" : NULL;
}

bool net_has(const struct net *net, const struct net *address)
{
	size_t whole = net->prefix / 8, rest = net->prefix % 8;

	if (net->size != address->size || memcmp(net->octets, address->octets, whole) != 0)
		return false;
	return rest == 0 || (net->octets[whole] ^ address->octets[whole]) >> (8 - rest) == 0;
}
