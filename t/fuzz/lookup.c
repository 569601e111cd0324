/*
 * Addresses against fixed tables: whoever may not relay reaches only our own domains, and what is taken is routed.
 */
#include "agents/lookupd/expand.h"
#include "agents/lookupd/classes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ours(struct str domain)
{
	static const struct str ours[] = { STR("example.com"),	 STR("localhost"),     STR("mx.example.com"),
					   STR("alias.example"), STR("virt.example"),  STR("catch.example"),
					   STR("moved.example"), STR("relay.example"), STR("[192.0.2.1]") };

	for (size_t i = 0; i < COUNT(ours); i++)
		if (str_ieq(domain, ours[i]))
			return true;
	return false;
}

static void check_routes(const struct routes *routes)
{
	struct str s;
	size_t at = 0, n = 0;

	while (strs_next(&routes->list, &at, &s))
		n++;
	ASSERT(n > 0 && n % ROUTE_PARTS == 0 && routes->raw.n <= EXPAND_ROUTES_MAX);
}

static void check_mx(struct policy *p, struct str text)
{
	struct reply r = decide_recipient(p, AUTHORITY_MX, STR(""), text);
	ptrdiff_t at = str_rfind(text, '@');

	if (r.code != 250)
		return;
	ASSERT(at < 0 || is_ours(str_skip(text, (size_t)at + 1)));
	ASSERT(str_find(text, '%') < 0 && str_find(text, '!') < 0 && str_find(text, '@') == at);
}

static void check_expand(struct policy *p, uint32_t authority, struct str text)
{
	scoped_routes struct routes routes = { 0 };
	scoped_buf struct buf raw = { 0 };
	struct strs given = { 0 };

	strs_add(&raw, &given, text);
	struct reply r = expand(p, authority, STR(""), &given, &routes);
	if (r.code == 250)
		check_routes(&routes);
	ASSERT(r.code == 250 || r.enh[0] == r.code / 100);
	struct reply mx = decide_recipient(p, AUTHORITY_MX, STR(""), text);
	ASSERT(authority != AUTHORITY_MX || r.code != 250 || mx.code == 250);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w; /* tables do not change: opened once */
	struct lookupd_conf conf = world_conf();
	struct str text = str_of(data, size), login = text, sender = str_cut(&login, '\n');

	if (!w.accounts)
		world_begin(&w, &conf);
	check_mx(&w.policy, text);
	check_expand(&w.policy, AUTHORITY_MX, text);
	check_expand(&w.policy, AUTHORITY_LOCAL, text);
	decide_sender(&w.policy, AUTHORITY_SUBMISSION, login, sender);
	return 0;
}
