/* Expansion: loops and floods first, then what becomes of each recipient, and by which way. */
#include "agents/lookupd/expand.h"

#include "classes.h"
#include "unit.h"

enum { MX = AUTHORITY_MX, SUBMIT = AUTHORITY_SUBMISSION, UNKNOWN = 8, LOCAL = AUTHORITY_LOCAL };

/* "code text", or "address/transport/nexthop/user" of all routes, divided by blanks. */
static void run(struct world *w, uint32_t authority, const char *recipients, struct buf *out)
{
	scoped_routes struct routes routes = { 0 };
	scoped_buf struct buf raw = { 0 };
	struct strs given = { 0 };
	struct str rest = str_from(recipients), item, part[ROUTE_PARTS];
	size_t at = 0;

	while (conf_list_next(&rest, &item))
		strs_add(&raw, &given, item);
	struct reply r = expand(&w->policy, authority, STR(""), &given, &routes);
	buf_reset(out);
	if (r.code != 250) {
		buf_addf(out, "%d %s", r.code, r.text);
		return;
	}
	ck_assert_uint_eq(routes.list.n % ROUTE_PARTS, 0);
	for (uint32_t i = 0; i < routes.list.n / ROUTE_PARTS; i++) {
		for (size_t k = 0; k < ROUTE_PARTS; k++)
			ck_assert(strs_next(&routes.list, &at, &part[k]));
		buf_addf(out, "%s%.*s/%.*s/%.*s/%.*s", i ? " " : "", STR_ARG(part[0]), STR_ARG(part[2]),
			 STR_ARG(part[3]), STR_ARG(part[4]));
	}
}

static const struct {
	uint32_t authority;
	const char *given, *want;
} cases[] = {
	{ MX, "loop1@alias.example", "451 <loop1@alias.example>: alias loop: it leads back to <loop1@alias.example>" },
	{ MX, "loopa@example.com", "451 <loopa@example.com>: alias loop: it leads back to <loopa@example.com>" },
	{ MX, "pq@alias.example", "451 <pq@alias.example>: alias loop: it leads back to <p@alias.example>" },
	{ MX, "empty@alias.example", "451 <empty@alias.example>: alias value ',' holds no address" },
	{ MX, "empty@example.com", "451 <empty@example.com>: alias value ',' holds no address" },
	{ MX, "bad@example.com", "451 <bad@example.com>: alias value 'a b' is no address" },
	{ MX, "cmd@example.com",
	  "451 <cmd@example.com>: alias value '|/bin/cat' is a command: aliases do not run commands" },
	{ MX, "quoted@example.com",
	  "451 <quoted@example.com>: alias value '\"|cat x\"' is a command: aliases do not run commands" },
	{ MX, "file@example.com",
	  "451 <file@example.com>: alias value '/var/mail/x' is a file: aliases do not write files" },
	{ MX, "incl@example.com",
	  "451 <incl@example.com>: alias value ':include:/x' is a list in a file: aliases do not include files" },
	{ MX, "x@other.example", "554 <x@other.example>: Relay access denied" },
	{ UNKNOWN, "hank@example.com x@other.example", "554 <x@other.example>: Relay access denied" },
	{ 0, "x@other.example", "554 <x@other.example>: Relay access denied" },
	{ MX | LOCAL, "x@other.example", "554 <x@other.example>: Relay access denied" },
	{ MX, "out@alias.example someone@out.example", "554 <someone@out.example>: Relay access denied" },
	{ MX, "x%y@catch.example", "554 <x%y@catch.example>: Relay access denied" },
	{ MX, "nobody@virt.example",
	  "550 <nobody@virt.example>: Recipient address rejected: User unknown in virtual mailbox table" },
	{ MX, "a@b@example.com", "550 <a@b@example.com>: Bad recipient address syntax" },
	/* unknown names in mail that was taken fail one by one, at delivery */
	{ SUBMIT, "nobody@virt.example", "nobody@virt.example/virtual/virt.example/nobody@virt.example" },
	{ LOCAL, "nobody", "nobody@example.com/local/example.com/nobody" },
	{ MX, "dead@alias.example", "nobody@alias.example/virtual/alias.example/nobody@alias.example" },

	{ SUBMIT, "x@Other.Example", "x@other.example/smtp/other.example/" },
	{ LOCAL, "x@other.example", "x@other.example/smtp/other.example/" },
	{ MX, "Any@relay.example", "Any@relay.example/relay/relay.example/" },
	{ MX, "hank@example.com", "hank@example.com/local/example.com/hank" },
	{ MX, "Hank", "Hank@example.com/local/example.com/hank" },
	{ MX, "hank+tag@localhost", "hank+tag@localhost/local/localhost/hank" },
	{ MX, "list+ext@example.com", "list+ext@example.com/local/example.com/list+ext" },
	{ MX, "hank hank@EXAMPLE.com HANK", "hank@example.com/local/example.com/hank" },
	{ MX, "User1+x@virt.example", "User1+x@virt.example/virtual/virt.example/user1@virt.example" },
	{ MX, "user2+x@virt.example", "user2+x@virt.example/virtual/virt.example/user2@virt.example" },
	{ MX, "boss@virt.example", "boss@virt.example/virtual/virt.example/the.boss@virt.example" },
	{ MX, "full+ext@virt.example", "full+ext@virt.example/virtual/virt.example/full+ext@virt.example" },
	{ MX, "sales@alias.example",
	  "user1@virt.example/virtual/virt.example/user1@virt.example"
	  " user2@virt.example/virtual/virt.example/user2@virt.example" },
	{ MX, "two@alias.example",
	  "user1@virt.example/virtual/virt.example/user1@virt.example"
	  " user2@virt.example/virtual/virt.example/user2@virt.example" },
	{ MX, "ext+tag@alias.example", "user1+tag@virt.example/virtual/virt.example/user1@virt.example" },
	{ MX, "ext-tag@alias.example", "user1-tag@virt.example/virtual/virt.example/user1@virt.example" },
	{ MX, "any@catch.example", "catcher@virt.example/virtual/virt.example/catcher@virt.example" },
	{ MX, "any+tag@catch.example", "catcher@virt.example/virtual/virt.example/catcher@virt.example" },
	{ MX, "move@alias.example", "move@virt.example/virtual/virt.example/move@virt.example" },
	{ MX, "user1+t@moved.example", "user1+t@virt.example/virtual/virt.example/user1@virt.example" },
	{ MX, "bare@alias.example", "hank@example.com/local/example.com/hank" },
	{ MX, "postmaster", "boss@virt.example/virtual/virt.example/the.boss@virt.example" },
	{ MX, "postmaster@localhost", "boss@virt.example/virtual/virt.example/the.boss@virt.example" },
	{ MX, "out@alias.example", "someone@out.example/smtp/out.example/" },
	{ MX, "hub@alias.example",
	  "hub@alias.example/virtual/alias.example/hub@alias.example"
	  " spoke@alias.example/virtual/alias.example/spoke@alias.example" },
	{ MX, "root@localhost", "ops@out.example/smtp/out.example/ admin@example.com/local/example.com/admin" },
	{ MX, "back", "back@example.com/local/example.com/back" },
	{ MX, "away@example.com", "dave@out.example/smtp/out.example/" },
	{ MX, "team+x@example.com", "carol@example.com/local/example.com/carol" },
};

START_TEST(expand_cases)
{
	struct lookupd_conf conf = world_conf();
	scoped_buf struct buf got = { 0 };
	struct world w;

	world_begin(&w, &conf);
	run(&w, cases[_i].authority, cases[_i].given, &got);
	ck_assert_str_eq(buf_cstr(&got), cases[_i].want);
	world_end(&w);
}
END_TEST

static const struct {
	const char *maps, *given, *want;
} transports[] = {
	{ "lmdb:/none", "hank", "451 <hank@example.com>: Temporary lookup failure" },
	{ "inline:{ {example.com=uucp:x} }", "hank",
	  "451 <hank@example.com>: transport_maps names 'uucp', which is none of local, virtual, relay, smtp, lmtp" },
	{ "inline:{ {relay.example=smtp:[10.0.0.1]:2525} }", "a@relay.example",
	  "a@relay.example/relay/[10.0.0.1]:2525/" },
	{ "inline:{ {a@relay.example=:inner} }", "a+b@relay.example", "a+b@relay.example/relay/inner/" },
	{ "inline:{ {.example=relay:hub} }", "a@x.y.example", "a@x.y.example/relay/hub/" },
	{ "inline:{ {.example=relay:hub} }", "a@virt.example", "a@virt.example/relay/hub/" },
	{ "inline:{ {*=smtp:hub} }", "a@other.test", "a@other.test/smtp/hub/" },
	{ "inline:{ {*=relay} }", "a@other.test", "a@other.test/relay/other.test/" },
	{ "inline:{ {*=:} }", "a@other.test", "a@other.test/smtp/other.test/" },
	{ "inline:{ {example.com=virtual:} }", "hank+x", "hank+x@example.com/virtual/example.com/hank@example.com" },
};

START_TEST(transport_cases)
{
	struct lookupd_conf conf = world_conf();
	scoped_buf struct buf got = { 0 };
	struct world w;

	conf.transport_maps = str_from(transports[_i].maps);
	world_begin(&w, &conf);
	run(&w, SUBMIT, transports[_i].given, &got);
	ck_assert_str_eq(buf_cstr(&got), transports[_i].want);
	world_end(&w);
}
END_TEST

/* One alias of `n` addresses, as an inline table. */
static void big_alias(struct buf *out, int n)
{
	buf_add(out, STR("inline:{ {big@alias.example="));
	for (int i = 0; i < n; i++)
		buf_addf(out, "u%d@out.example,", i);
	buf_add(out, STR("} }"));
}

/* Too many for the limit; too many for an answer; as many as fit. */
static const struct {
	int n, limit;
	const char *want;
} floods[] = {
	{ 10000, 1000, "452 <big@alias.example>: alias expands to more than 1000 recipients" },
	{ 10000, 50000, "452 Too many recipients after alias expansion" },
	{ 1001, 1000, "452 <big@alias.example>: alias expands to more than 1000 recipients" },
	{ 700, 1000, "u0@out.example/smtp/out.example/" },
};

START_TEST(flood_cases)
{
	struct lookupd_conf conf = world_conf();
	scoped_buf struct buf got = { 0 }, table = { 0 };
	struct world w;

	big_alias(&table, floods[_i].n);
	conf.virtual_alias_maps = buf_str(&table);
	conf.virtual_alias_expansion_limit = floods[_i].limit;
	world_begin(&w, &conf);
	run(&w, MX, "big@alias.example", &got);
	ck_assert_msg(str_starts(buf_str(&got), str_from(floods[_i].want)), "%.200s", buf_cstr(&got));
	world_end(&w);
}
END_TEST

/* Each alias has two of the next: 2^20 ways, and a chain deeper than the limit. */
START_TEST(doubling)
{
	struct lookupd_conf conf = world_conf();
	scoped_buf struct buf got = { 0 }, table = { 0 };
	struct world w;

	buf_add(&table, STR("inline:{"));
	for (int i = 0; i < 20; i++)
		buf_addf(&table, "{a%d@alias.example=a%d@alias.example, a%d@alias.example} ", i, i + 1, i + 1);
	for (int i = 0; i < 150; i++)
		buf_addf(&table, "{c%d@alias.example=c%d@alias.example} ", i, i + 1);
	buf_add(&table, STR("}"));
	conf.virtual_alias_maps = buf_str(&table);
	world_begin(&w, &conf);
	run(&w, MX, "a0@alias.example", &got);
	ck_assert_str_eq(buf_cstr(&got), "452 <a0@alias.example>: alias expands to more than 1000 recipients");
	run(&w, MX, "c0@alias.example", &got);
	ck_assert_str_eq(buf_cstr(&got), "451 <c0@alias.example>: aliases of aliases are nested deeper than 100");
	run(&w, MX, "c60@alias.example", &got);
	ck_assert_str_eq(buf_cstr(&got), "c150@alias.example/virtual/alias.example/c150@alias.example");
	world_end(&w);
}
END_TEST

TEST_MAIN("expand", {
	tcase_add_loop_test(tc, expand_cases, 0, COUNT(cases));
	tcase_add_loop_test(tc, transport_cases, 0, COUNT(transports));
	tcase_add_loop_test(tc, flood_cases, 0, COUNT(floods));
	tcase_add_test(tc, doubling);
})
