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
	{ MX, "open@example.com", "451 <open@example.com>: alias value '\"|x' is no address, command, file or list" },
	{ MX, "vcmd@alias.example",
	  "451 <vcmd@alias.example>: alias value '|cat' is no address: only alias_maps may have others" },
	{ MX, "vfile@alias.example",
	  "451 <vfile@alias.example>: alias value '/f' is no address: only alias_maps may have others" },
	{ MX, "vlist@alias.example",
	  "451 <vlist@alias.example>: alias value ':include:/f' is no address: only alias_maps may have others" },
	{ MX, "vself@alias.example",
	  "451 <vself@alias.example>: alias value 'hank' is no address: only alias_maps may have others" },
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
	{ MX, "back", "back@example.com/local/\\/back" },
	{ MX, "both", "hank@example.com/local/\\/hank" },
	{ MX, "cmd@example.com", "cmd@example.com/local/|/bin/cat/nobody" },
	{ MX, "Quoted@localhost", "Quoted@localhost/local/|cat x/nobody" },
	{ MX, "file", "file@example.com/local//var/mail/x/nobody" },
	{ MX, "incl", "incl@example.com/local/:include:/x/nobody" },
	{ MX, "self", "self@example.com/local/example.com/self self@example.com/local/|v self/nobody" },
	{ MX, "crew cmd",
	  "hank@example.com/local/example.com/hank crew@example.com/local/|cmd/nobody crew@example.com/local//f/nobody"
	  " crew@example.com/local/:include:/l/nobody cmd@example.com/local/|/bin/cat/nobody" },
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

/* Who hears of errors: owner-LIST of what a list leads to, the sender of all else; nobody for a bounce. */
static const struct {
	const char *sender, *given, *want; /* "address sender" of each */
} owners[] = {
	{ "", "crew@localhost", "hank@example.com , crew@localhost , crew@localhost , crew@localhost , " },
	{ "me@x.test", "hank", "hank@example.com me@x.test, " },
	{ "me@x.test", "crew@localhost",
	  "hank@example.com owner-crew@localhost, crew@localhost owner-crew@localhost, crew@localhost owner-crew@localhost,"
	  " crew@localhost owner-crew@localhost, " },
	{ "me@x.test", "hank crew",
	  "hank@example.com me@x.test, crew@example.com owner-crew@example.com, crew@example.com owner-crew@example.com,"
	  " crew@example.com owner-crew@example.com, " },
	{ "me@x.test", "nested",
	  "carol@example.com me@x.test, hank@example.com owner-crew@example.com, crew@example.com owner-crew@example.com,"
	  " crew@example.com owner-crew@example.com, crew@example.com owner-crew@example.com, " },
	{ "me@x.test", "away+x", "dave@out.example owner-away@example.com, " },
	{ "me@x.test", "owner-crew", "admin@example.com me@x.test, " },
};

START_TEST(owner_cases)
{
	struct lookupd_conf conf = world_conf();
	scoped_routes struct routes routes = { 0 };
	scoped_buf struct buf raw = { 0 }, got = { 0 };
	struct str rest = str_from(owners[_i].given), item, part[ROUTE_PARTS];
	struct strs given = { 0 };
	struct world w;
	size_t at = 0;

	world_begin(&w, &conf);
	while (conf_list_next(&rest, &item))
		strs_add(&raw, &given, item);
	ck_assert_int_eq(expand(&w.policy, MX, str_from(owners[_i].sender), &given, &routes).code, 250);
	while (at < routes.list.raw.n) {
		for (size_t k = 0; k < ROUTE_PARTS; k++)
			ck_assert(strs_next(&routes.list, &at, &part[k]));
		buf_addf(&got, "%.*s %.*s, ", STR_ARG(part[0]), STR_ARG(part[5]));
	}
	ck_assert_str_eq(buf_cstr(&got), owners[_i].want);
	world_end(&w);
}
END_TEST

static const struct {
	const char *address, *target;
	int code;
} targets[] = {
	{ "crew@example.com", "|other", 550 },	     { "crew@example.com", "hank", 550 },
	{ "crew@example.com", "|cmd|cmd", 550 },     { "crew@virt.example", "|cmd", 550 },
	{ "vcmd@alias.example", "|cat", 550 },	     { "nobody@example.com", "|cmd", 550 },
	{ "a b@c@d", "|cmd", 550 },		     { "nested@example.com", "|cmd", 550 },
	{ "crew@example.com", "|cmd", 250 },	     { "CREW+x@localhost", "/f", 250 },
	{ "crew@example.com", ":include:/l", 250 },
};

START_TEST(target_cases)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	world_begin(&w, &conf);
	struct reply r = expand_has_target(&w.policy, str_from(targets[_i].address), str_from(targets[_i].target));
	ck_assert_int_eq(r.code, targets[_i].code);
	world_end(&w);
}
END_TEST

/* What the admin does not allow is refused, and not confirmed. */
START_TEST(not_allowed)
{
	struct lookupd_conf conf = world_conf();
	scoped_buf struct buf got = { 0 };
	struct world w;

	conf.allow_mail_to_commands = STR("forward");
	conf.allow_mail_to_files = STR("");
	world_begin(&w, &conf);
	run(&w, MX, "cmd", &got);
	ck_assert_str_eq(buf_cstr(&got), "451 <cmd@example.com>: alias value '|/bin/cat' is a command: allow_mail_to_commands does not have alias");
	run(&w, MX, "file", &got);
	ck_assert_str_eq(buf_cstr(&got), "451 <file@example.com>: alias value '/var/mail/x' is a file: allow_mail_to_files does not have alias");
	run(&w, MX, "incl", &got);
	ck_assert_str_eq(buf_cstr(&got), "incl@example.com/local/:include:/x/nobody");
	ck_assert_int_eq(expand_has_target(&w.policy, STR("crew@example.com"), STR("|cmd")).code, 550);
	ck_assert_int_eq(expand_has_target(&w.policy, STR("crew@example.com"), STR("/f")).code, 550);
	world_end(&w);
	conf.default_privs = STR("root");
	world_begin(&w, &conf);
	run(&w, MX, "incl", &got);
	ck_assert_str_eq(buf_cstr(&got), "451 <incl@example.com>: alias value ':include:/x' needs default_privs to be another account than root");
	world_end(&w);
}
END_TEST

TEST_MAIN("expand", {
	tcase_add_loop_test(tc, owner_cases, 0, COUNT(owners));
	tcase_add_loop_test(tc, target_cases, 0, COUNT(targets));
	tcase_add_test(tc, not_allowed);
	tcase_add_loop_test(tc, expand_cases, 0, COUNT(cases));
	tcase_add_loop_test(tc, transport_cases, 0, COUNT(transports));
	tcase_add_loop_test(tc, flood_cases, 0, COUNT(floods));
	tcase_add_test(tc, doubling);
})
