/* Who may send as whom and to whom: open-relay probes first, then the address classes, then senders. */
#include "agents/lookupd/decide.h"

#include "classes.h"
#include "ipc/messages.h"
#include "unit.h"

enum { MX = AUTHORITY_MX, SUBMIT = AUTHORITY_SUBMISSION, UNKNOWN = 8, LOCAL = AUTHORITY_LOCAL };

/* Every one of them must be refused for good, whatever the code, unless a mailbox of ours has that very name. */
static const char *const probes[] = {
	"user@other.example",
	"user%other.example@example.com",
	"user%other.example@virt.example",
	"user%other.example@relay.example",
	"user%other.example@catch.example",
	"user%other.example@alias.example",
	"user%other.example@[192.0.2.1]",
	"user%other.example",
	"\"user@other.example\"@example.com",
	"\"user@other.example\"@relay.example",
	"\"user@other.example\"@catch.example",
	"\"user@other.example\"",
	"\"user%other.example\"@relay.example",
	"user@other.example@example.com",
	"user@other.example@relay.example",
	"user@other.example@catch.example",
	"@example.com:user@other.example",
	"@example.com,@relay.example:user@other.example",
	"other.example!user@example.com",
	"other.example!user@relay.example",
	"other.example!user@catch.example",
	"other.example!user",
	"relay.example!other.example!user",
	"user@other.example.",
	"user@example.com.",
	"user@relay.example.",
	"user@.example.com",
	"user@sub.relay.example",
	"user@sub.example.com",
	"user@notrelay.example",
	"user@relay.example.other.example",
	"user@[127.0.0.1]",
	"user@[192.0.2.2]",
	"user@192.0.2.1",
	"user@localhost%other.example",
	"user@other.example%relay.example",
	"user@other.example relay.example",
	"user@other.example,user@relay.example",
	"<user@other.example>",
	"user@relay.example\nuser@other.example",
	"user@relay.example@",
	"@relay.example",
	"@",
	"",
	"user@",
	"\"user\"@other.example",
	"\"\"@other.example",
	"\"user@other.example",
	"user\\@relay.example@other.example",
	"user@\"relay.example\"",
	"user@relay.example#@other.example",
	"\xff@relay.example",
	"user@\xffrelay.example",
};

START_TEST(open_relay)
{
	static const struct {
		uint32_t authority;
		const char *login;
	} who[] = { { MX, "" },	     { MX, "user1@virt.example" },
		    { UNKNOWN, "" }, { UNKNOWN, "user1@virt.example" },
		    { SUBMIT, "" },  { 0, "" },
		    { 0, "hank" },   { MX | SUBMIT, "hank" } };
	struct lookupd_conf conf = world_conf();
	struct world w;

	world_begin(&w, &conf);
	for (size_t i = 0; i < COUNT(who); i++) {
		struct reply r =
			decide_recipient(&w.policy, who[i].authority, str_from(who[i].login), str_from(probes[_i]));
		ck_assert_msg(r.code >= 500, "<%s>: %d %s", probes[_i], r.code, r.text);
	}
	world_end(&w);
}
END_TEST

static const struct {
	uint32_t authority;
	const char *login, *recipient;
	int code;
	const char *text;
} recipients[] = {
	{ MX, "", "nobody@example.com", 550,
	  "<nobody@example.com>: Recipient address rejected: User unknown in local recipient table" },
	{ MX, "", "nobody@alias.example", 550,
	  "<nobody@alias.example>: Recipient address rejected: User unknown in virtual alias table" },
	{ MX, "", "nobody@virt.example", 550,
	  "<nobody@virt.example>: Recipient address rejected: User unknown in virtual mailbox table" },
	{ SUBMIT, "hank", "nobody@virt.example", 550,
	  "<nobody@virt.example>: Recipient address rejected: User unknown in virtual mailbox table" },
	{ LOCAL, "", "nobody@example.com", 550,
	  "<nobody@example.com>: Recipient address rejected: User unknown in local recipient table" },
	{ MX, "", "x@other.example", 554, "<x@other.example>: Relay access denied" },
	{ MX, "hank", "x@other.example", 554, "<x@other.example>: Relay access denied" },
	{ UNKNOWN, "", "x@other.example", 554, "<x@other.example>: Relay access denied" },
	{ SUBMIT, "", "x@other.example", 554, "<x@other.example>: Relay access denied" },
	{ MX, "", "a b@example.com", 501, "Bad recipient address syntax" },
	{ MX, "", "abuse@example.com", 550, NULL },
	{ MX, "", "hank@virt.example", 550, NULL },
	{ MX, "", "user1@example.com", 550, NULL },
	{ SUBMIT, "hank", "x@other.example", 250, NULL },
	{ SUBMIT, "hank", "x%y@other.example", 250, NULL },
	{ SUBMIT, "hank", "x%y@example.com", 550, NULL },
	{ LOCAL, "", "x@other.example", 250, NULL },
	{ MX, "", "hank@example.com", 250, NULL },
	{ MX, "", "HANK@EXAMPLE.COM", 250, NULL },
	{ MX, "", "hank", 250, NULL },
	{ MX, "", "hank@localhost", 250, NULL },
	{ MX, "", "hank@mx.example.com", 250, NULL },
	{ MX, "", "hank+tag@example.com", 250, NULL },
	{ MX, "", "hank-tag@example.com", 250, NULL },
	{ MX, "", "hank=tag@example.com", 550, NULL },
	{ MX, "", "list+ext@example.com", 250, NULL },
	{ MX, "", "list@example.com", 550, NULL },
	{ MX, "", "cmd@example.com", 250, NULL },
	{ MX, "", "postmaster", 250, NULL },
	{ MX, "", "postmaster@localhost", 250, NULL },
	{ MX, "", "postmaster@virt.example", 550, NULL },
	{ MX, "", "sales@alias.example", 250, NULL },
	{ MX, "", "sales+x@alias.example", 250, NULL },
	{ MX, "", "any@catch.example", 250, NULL },
	{ MX, "", "user1@virt.example", 250, NULL },
	{ MX, "", "User1+x@Virt.Example", 250, NULL },
	{ MX, "", "full+ext@virt.example", 250, NULL },
	{ MX, "", "full@virt.example", 550, NULL },
	{ MX, "", "any@relay.example", 250, NULL },
	{ MX, "", "any@[192.0.2.1]", 250, NULL },
	{ MX, "", "\xc3\xbc@relay.example", 250, NULL },
};

START_TEST(recipient_cases)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	world_begin(&w, &conf);
	struct reply r = decide_recipient(&w.policy, recipients[_i].authority, str_from(recipients[_i].login),
					  str_from(recipients[_i].recipient));
	ck_assert_msg(r.code == recipients[_i].code, "<%s>: %d %s", recipients[_i].recipient, r.code, r.text);
	ck_assert_int_eq(r.enh[0], r.code / 100);
	if (recipients[_i].text)
		ck_assert_str_eq(r.text, recipients[_i].text);
	world_end(&w);
}
END_TEST

/* Other settings: which parameter, what, and what it does to whom. */
static const struct {
	size_t at;
	const char *value, *recipient;
	int code;
} settings[] = {
#define AT(field) offsetof(struct lookupd_conf, field)
	{ AT(mydestination), "texthash:/none", "hank@example.com", 451 },
	{ AT(mydestination), "example.com, texthash:/none", "hank@example.com", 250 },
	{ AT(mydestination), "example.com, texthash:/none", "x@other.example", 451 },
	{ AT(virtual_alias_domains), "hash:/none", "x@other.example", 451 },
	{ AT(virtual_alias_maps), "lmdb:/none", "hank@example.com", 451 },
	{ AT(local_recipient_maps), "lmdb:/none", "hank@example.com", 451 },
	{ AT(local_recipient_maps), "", "nobody@example.com", 250 },
	{ AT(local_recipient_maps), "inline:{ {@example.com=x} }", "nobody@example.com", 250 },
	{ AT(local_recipient_maps), "inline:{ {@example.com=x} }", "nobody@localhost", 550 },
	{ AT(local_recipient_maps), "static:x", "nobody@localhost", 250 },
	{ AT(virtual_mailbox_maps), "", "nobody@virt.example", 250 },
	{ AT(virtual_mailbox_maps), "inline:{ {@virt.example=x} }", "nobody@virt.example", 250 },
	{ AT(virtual_mailbox_maps), "inline:{ {user=x} }", "user@virt.example", 550 },
	{ AT(relay_recipient_maps), "inline:{ {known@relay.example=x} }", "any@relay.example", 550 },
	{ AT(relay_recipient_maps), "inline:{ {known@relay.example=x} }", "known+x@relay.example", 250 },
	{ AT(relay_domains), "virt.example", "nobody@virt.example", 550 },
	{ AT(relay_domains), "static:all", "x@other.example", 250 },
	{ AT(recipient_delimiter), "", "hank+tag@example.com", 550 },
};

START_TEST(setting_cases)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	*(struct str *)((char *)&conf + settings[_i].at) = str_from(settings[_i].value);
	world_begin(&w, &conf);
	struct reply r = decide_recipient(&w.policy, MX, STR(""), str_from(settings[_i].recipient));
	ck_assert_msg(r.code == settings[_i].code, "<%s>: %d %s", settings[_i].recipient, r.code, r.text);
	if (r.code == 451)
		ck_assert_ptr_nonnull(strstr(r.text, "Temporary lookup failure"));
	world_end(&w);
}
END_TEST

/* A table's trouble is told once a minute. */
START_TEST(complaints)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	conf.mydestination = STR("hash:/etc/domains");
	world_begin(&w, &conf);
	for (int64_t now = 0; now < 120000; now += 500) {
		policy_refresh(&w.policy, now);
		decide_recipient(&w.policy, MX, STR(""), STR("a@b.example"));
	}
	const char *line = "table 'hash' is no type of table: known are cidr, fail, inline, lmdb, passwd-file, pcre, randmap, "
		       "regexp, static, texthash, unix\n";
	scoped_buf struct buf want = { 0 };
	buf_addf(&want, "%s%s", line, line);
	ck_assert_str_eq(buf_cstr(&w.told), buf_cstr(&want));
	world_end(&w);
}
END_TEST

static const struct {
	uint32_t authority;
	const char *login, *sender;
	int code;
	const char *text;
} senders[] = {
	{ SUBMIT, "hank", "root@example.com", 553,
	  "<root@example.com>: Sender address rejected: not owned by user hank" },
	{ SUBMIT, "hank", "hank@virt.example", 553, NULL },
	{ SUBMIT, "hank@virt.example", "hank", 553, NULL },
	{ SUBMIT, "user1@virt.example", "user2@virt.example", 553, NULL },
	{ SUBMIT, "user1@virt.example", "user1@virt.example.other.example", 553, NULL },
	{ SUBMIT, "user1@virt.example", "\"user1@virt.example\"@other.example", 553, NULL },
	{ SUBMIT, "user1+x@virt.example", "user1@virt.example", 553, NULL },
	{ SUBMIT, "user1@virt.example", "x@shared.example", 553, NULL },
	{ MX, "hank", "root@example.com", 553, NULL },
	{ SUBMIT, "bad name", "root@example.com", 553, NULL },
	{ SUBMIT, "hank", "a b", 501, "Bad sender address syntax" },
	{ SUBMIT, "hank", "a@b@example.com", 501, NULL },
	{ SUBMIT, "hank", "", 250, NULL },
	{ SUBMIT, "hank", "hank@example.com", 250, NULL },
	{ SUBMIT, "hank", "hank", 250, NULL },
	{ SUBMIT, "hank", "Hank+tag@EXAMPLE.com", 250, NULL },
	{ SUBMIT, "user1@virt.example", "user1-x@VIRT.example", 250, NULL },
	{ SUBMIT, "user1@virt.example", "info@virt.example", 250, NULL },
	{ SUBMIT, "hank", "info+x@virt.example", 250, NULL },
	{ SUBMIT, "user2@virt.example", "any@shared.example", 250, NULL },
	{ SUBMIT, "", "any@other.example", 250, NULL },
	{ MX, "", "hank@example.com", 250, NULL },
	{ LOCAL, "hank", "any@other.example", 250, NULL },
};

START_TEST(sender_cases)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	world_begin(&w, &conf);
	struct reply r = decide_sender(&w.policy, senders[_i].authority, str_from(senders[_i].login),
				       str_from(senders[_i].sender));
	ck_assert_msg(r.code == senders[_i].code, "%s <%s>: %d %s", senders[_i].login, senders[_i].sender, r.code,
		      r.text);
	if (senders[_i].text)
		ck_assert_str_eq(r.text, senders[_i].text);
	world_end(&w);
}
END_TEST

TEST_MAIN("decide", {
	tcase_add_loop_test(tc, open_relay, 0, COUNT(probes));
	tcase_add_loop_test(tc, recipient_cases, 0, COUNT(recipients));
	tcase_add_loop_test(tc, setting_cases, 0, COUNT(settings));
	tcase_add_test(tc, complaints);
	tcase_add_loop_test(tc, sender_cases, 0, COUNT(senders));
})
