/* Restrictions at work, without anybody to ask: a script of answers stands beside each case. */
#include <stdio.h>

#include "smtp/checks.h"
#include "unit.h"

/*
 * answers, in order: "ROW value", "NONE", "TROUBLE" of a table; "250", "554 5.7.1 text" of lookupd; "A 127.0.0.2",
 * "MX host", "MX -" (null), "TXT text", "NODATA", "NONAME", "FAILED" of the DNS. asked: what was asked, divided by ';'.
 */
struct row {
	const char *lists[RESTRICT_LISTS];
	const char *answers, *asked;
	const char *reply; /* "" : nothing against it */
	const char *notes;
};

#define CLIENT .lists[RESTRICT_CLIENT]
#define HELO .lists[RESTRICT_HELO]
#define SENDER .lists[RESTRICT_SENDER]
#define RELAY .lists[RESTRICT_RELAY]
#define RCPT .lists[RESTRICT_RECIPIENT]

static const struct row rows[] = {
	/* words alone */
	{ CLIENT = "reject", .reply = "554 5.7.1 <host.test[192.0.2.9]>: Client host rejected: Access denied" },
	{ HELO = "reject", .reply = "554 5.7.1 <helo.test>: Helo command rejected: Access denied" },
	{ SENDER = "reject", .reply = "554 5.7.1 <s@from.test>: Sender address rejected: Access denied" },
	{ RELAY = "reject", .reply = "554 5.7.1 <r@to.test>: Recipient address rejected: Access denied" },
	{ RCPT = "defer", .reply = "450 4.3.2 <r@to.test>: Recipient address rejected: Try again later" },
	{ RCPT = "permit, reject", .reply = "" },
	{ RELAY = "permit, reject", RCPT = "reject",
	  .reply = "554 5.7.1 <r@to.test>: Recipient address rejected: Access denied" },
	{ CLIENT = "permit", HELO = "permit", SENDER = "reject", RCPT = "permit",
	  .reply = "554 5.7.1 <s@from.test>: Sender address rejected: Access denied" },
	{ CLIENT = "permit_mynetworks, reject", .reply = "" },
	{ CLIENT = "permit_sasl_authenticated, reject",
	  .reply = "554 5.7.1 <host.test[192.0.2.9]>: Client host rejected: Access denied" },
	{ RCPT = "warn_if_reject reject, permit, reject", .reply = "",
	  .notes = "reject_warning: 554 5.7.1 <r@to.test>: Recipient address rejected: Access denied\n" },
	/* ours */
	{ RELAY = "reject_unauth_destination", .answers = "554 5.7.1 <r@to.test>: Relay access denied", .asked = "ours r@to.test",
	  .reply = "554 5.7.1 <r@to.test>: Relay access denied" },
	{ RELAY = "defer_unauth_destination", .answers = "554 5.7.1 <r@to.test>: Relay access denied", .asked = "ours r@to.test",
	  .reply = "454 4.7.1 <r@to.test>: Relay access denied" },
	{ RELAY = "reject_unauth_destination", .answers = "451 4.3.0 later", .asked = "ours r@to.test",
	  .reply = "451 4.3.0 later" },
	{ RELAY = "reject_unauth_destination, reject", .answers = "250", .asked = "ours r@to.test",
	  .reply = "554 5.7.1 <r@to.test>: Recipient address rejected: Access denied" },
	{ RELAY = "permit_auth_destination, reject", .answers = "250", .asked = "ours r@to.test", .reply = "" },
	{ RELAY = "permit_auth_destination, defer", .answers = "554 5.7.1 no", .asked = "ours r@to.test",
	  .reply = "450 4.3.2 <r@to.test>: Recipient address rejected: Try again later" },
	{ RCPT = "reject_unlisted_recipient", .answers = "550 5.1.1 unknown", .asked = "listed r@to.test",
	  .reply = "550 5.1.1 unknown" },
	{ SENDER = "reject_unlisted_sender", .answers = "550 5.1.1 unknown", .asked = "listed s@from.test",
	  .reply = "550 5.1.0 <s@from.test>: Sender address rejected: User unknown" },
	{ SENDER = "reject_sender_login_mismatch", .answers = "553 5.7.1 not logged in", .asked = "owned s@from.test",
	  .reply = "553 5.7.1 not logged in" },
	{ SENDER = "reject_authenticated_sender_login_mismatch", .reply = "" },
	/* names */
	{ CLIENT = "reject_unknown_client_hostname", .reply = "" },
	{ CLIENT = "reject_unknown_reverse_client_hostname", .reply = "" },
	{ HELO = "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname", .reply = "" },
	{ SENDER = "reject_non_fqdn_sender, reject_non_fqdn_recipient", .reply = "" },
	{ RCPT = "reject_unauth_pipelining", .reply = "" },
	/* the DNS */
	{ SENDER = "reject_unknown_sender_domain", .answers = "MX mx.test", .asked = "15 from.test", .reply = "" },
	{ SENDER = "reject_unknown_sender_domain", .answers = "MX -", .asked = "15 from.test",
	  .reply = "550 5.7.27 <s@from.test>: Sender address rejected: Domain does not accept mail (nullMX)" },
	{ SENDER = "reject_unknown_sender_domain", .answers = "NODATA|A 192.0.2.1", .asked = "15 from.test;1 from.test",
	  .reply = "" },
	{ SENDER = "reject_unknown_sender_domain", .answers = "NODATA|NODATA|NODATA|554 5.7.1 no",
	  .asked = "15 from.test;1 from.test;28 from.test;ours s@from.test",
	  .reply = "450 4.1.8 <s@from.test>: Sender address rejected: Domain not found" },
	{ SENDER = "reject_unknown_sender_domain", .answers = "NONAME|250", .asked = "15 from.test;ours s@from.test",
	  .reply = "" },
	{ SENDER = "reject_unknown_sender_domain", .answers = "FAILED", .asked = "15 from.test",
	  .reply = "450 4.1.8 <s@from.test>: Sender address rejected: Domain not found" },
	{ RCPT = "reject_unknown_recipient_domain", .answers = "NONAME|554 5.7.1 no", .asked = "15 to.test;ours r@to.test",
	  .reply = "450 4.1.2 <r@to.test>: Recipient address rejected: Domain not found" },
	{ HELO = "reject_unknown_helo_hostname", .answers = "NONAME", .asked = "15 helo.test",
	  .reply = "450 4.7.1 <helo.test>: Helo command rejected: Host not found" },
	{ HELO = "reject_unknown_helo_hostname", .answers = "NODATA|A 192.0.2.1", .asked = "15 helo.test;1 helo.test",
	  .reply = "" },
	/* lists in the DNS */
	{ CLIENT = "reject_rbl_client bl.test", .answers = "NONAME", .asked = "1 9.2.0.192.bl.test", .reply = "" },
	{ CLIENT = "reject_rbl_client bl.test", .answers = "FAILED", .asked = "1 9.2.0.192.bl.test", .reply = "",
	  .notes = "warning: 9.2.0.192.bl.test: the list does not answer\n" },
	{ CLIENT = "reject_rbl_client bl.test", .answers = "A 127.0.0.2|NODATA",
	  .asked = "1 9.2.0.192.bl.test;16 9.2.0.192.bl.test",
	  .reply = "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using bl.test" },
	{ CLIENT = "reject_rbl_client bl.test", .answers = "A 127.0.0.2|TXT see\nthere",
	  .asked = "1 9.2.0.192.bl.test;16 9.2.0.192.bl.test",
	  .reply = "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using bl.test; see?there" },
	{ CLIENT = "reject_rbl_client bl.test", .answers = "A 203.0.113.1", .asked = "1 9.2.0.192.bl.test", .reply = "" },
	{ CLIENT = "reject_rbl_client bl.test=127.0.0.3", .answers = "A 127.0.0.2", .asked = "1 9.2.0.192.bl.test",
	  .reply = "" },
	{ SENDER = "reject_rhsbl_sender bl.test", .answers = "A 127.0.0.2|FAILED",
	  .asked = "1 from.test.bl.test;16 from.test.bl.test",
	  .reply = "554 5.7.1 Service unavailable; Sender address [s@from.test] blocked using bl.test" },
	{ HELO = "reject_rhsbl_helo bl.test", .answers = "NODATA", .asked = "1 helo.test.bl.test", .reply = "" },
	/* tables */
	{ CLIENT = "check_client_access t:x, reject", .answers = "NONE", .asked = "t:x 1 host.test 192.0.2.9",
	  .reply = "554 5.7.1 <host.test[192.0.2.9]>: Client host rejected: Access denied" },
	{ CLIENT = "check_client_access t:x, reject", .answers = "ROW OK", .asked = "t:x 1 host.test 192.0.2.9", .reply = "" },
	{ HELO = "check_helo_access t:x", .answers = "TROUBLE", .asked = "t:x 2 helo.test ",
	  .reply = "451 4.3.0 <helo.test>: Helo command rejected: Temporary lookup failure" },
	{ SENDER = "check_sender_access t:x", .answers = "ROW 550 5.2.1 go", .asked = "t:x 3  s@from.test",
	  .reply = "550 5.2.1 <s@from.test>: Sender address rejected: go" },
	{ RCPT = "t:x", .answers = "ROW REJECT", .asked = "t:x 3  r@to.test",
	  .reply = "554 5.7.1 <r@to.test>: Recipient address rejected: Access denied" },
	{ CLIENT = "check_reverse_client_hostname_access t:x", .answers = "ROW DUNNO", .asked = "t:x 2 rev.test ",
	  .reply = "" },
	{ RCPT = "t:x", .answers = "ROW NONSENSE", .asked = "t:x 3  r@to.test",
	  .reply = "451 4.3.5 <r@to.test>: Recipient address rejected: Server configuration error",
	  .notes = "warning: table t:x: unknown action 'NONSENSE'\n" },
	{ RCPT = "t:x", .answers = "ROW check_sender_access t:y", .asked = "t:x 3  r@to.test",
	  .reply = "451 4.3.5 <r@to.test>: Recipient address rejected: Server configuration error",
	  .notes = "warning: table t:x: unknown action 'check_sender_access t:y'\n" },
	{ RCPT = "t:x", .answers = "ROW PREPEND no field", .asked = "t:x 3  r@to.test",
	  .reply = "451 4.3.5 <r@to.test>: Recipient address rejected: Server configuration error",
	  .notes = "warning: table t:x: unknown action 'PREPEND no field'\n" },
	{ RCPT = "t:x, reject", .answers = "ROW DEFER_IF_REJECT", .asked = "t:x 3  r@to.test",
	  .reply = "450 4.7.1 <r@to.test>: Recipient address rejected: Service unavailable" },
	{ RCPT = "t:x, defer", .answers = "ROW DEFER_IF_REJECT", .asked = "t:x 3  r@to.test",
	  .reply = "450 4.3.2 <r@to.test>: Recipient address rejected: Try again later" },
	{ CLIENT = "t:x", RCPT = "permit", .answers = "ROW DEFER_IF_PERMIT soon", .asked = "t:x 1 host.test 192.0.2.9",
	  .reply = "450 4.7.1 <host.test[192.0.2.9]>: Client host rejected: soon" },
	{ CLIENT = "t:x", RCPT = "reject", .answers = "ROW DEFER_IF_PERMIT soon", .asked = "t:x 1 host.test 192.0.2.9",
	  .reply = "554 5.7.1 <r@to.test>: Recipient address rejected: Access denied" },
	{ RCPT = "t:x", .answers = "ROW WARN look", .asked = "t:x 3  r@to.test", .reply = "",
	  .notes = "warn: <r@to.test>: Recipient address look\n" },
	{ RCPT = "t:x", .answers = "ROW INFO", .asked = "t:x 3  r@to.test", .reply = "",
	  .notes = "info: <r@to.test>: Recipient address triggers INFO action\n" },
	/* restrictions that a row names: they end with the list, or the list goes on behind them */
	{ CLIENT = "t:x, reject", .answers = "ROW permit_sasl_authenticated, permit_mynetworks",
	  .asked = "t:x 1 host.test 192.0.2.9", .reply = "" },
	{ CLIENT = "t:x, permit, reject", .answers = "ROW permit_sasl_authenticated",
	  .asked = "t:x 1 host.test 192.0.2.9", .reply = "" },
	{ RCPT = "warn_if_reject t:x, t:y", .answers = "ROW reject_unauth_destination|554 5.7.1 no|NONE",
	  .asked = "t:x 3  r@to.test;ours r@to.test;t:y 3  r@to.test", .reply = "",
	  .notes = "reject_warning: 554 5.7.1 no\n" },
	{ RCPT = "t:x, t:y", .answers = "ROW reject_unknown_sender_domain, defer|MX mx.test", .asked = "t:x 3  r@to.test;15 from.test",
	  .reply = "450 4.3.2 <r@to.test>: Recipient address rejected: Try again later" },
};

static void take_note(void *arg, const char *word, struct str text)
{
	buf_addf(arg, "%s: %.*s\n", word, STR_ARG(text));
}

static void tell_question(struct buf *out, enum checks_next next, const struct check_ask *a)
{
	static const char *const what[] = { "", "ours", "listed", "owned" };

	if (out->n > 0)
		buf_addc(out, ';');
	if (next == CHECKS_ASK_TABLE)
		buf_addf(out, "%.*s %d %.*s %.*s", STR_ARG(a->table), a->kind, STR_ARG(a->name), STR_ARG(a->address));
	else if (next == CHECKS_ASK_ADDRESS)
		buf_addf(out, "%s %.*s", what[a->what], STR_ARG(a->address));
	else if (next == CHECKS_ASK_DNS)
		buf_addf(out, "%d %.*s", a->type, STR_ARG(a->name));
	else
		buf_add(out, STR("login"));
}

static struct check_answer take_answer(struct str text, char room[4])
{
	struct check_answer a = { .found = CHECK_FOUND };
	unsigned v[4];

	if (str_eat_word(&text, STR("ROW ")))
		a.value = text;
	else if (str_eat_word(&text, STR("A ")) &&
		 sscanf(text.p, "%u.%u.%u.%u", &v[0], &v[1], &v[2], &v[3]) == 4)
		for (int i = 0; i < 4; i++)
			room[i] = (char)v[i];
	if (str_eq(text, STR("NONE")) || str_eq(text, STR("NODATA")))
		a.found = CHECK_NOTHING;
	else if (str_eq(text, STR("NONAME")))
		a.found = CHECK_NO_NAME;
	else if (str_eq(text, STR("TROUBLE")) || str_eq(text, STR("FAILED")))
		a.found = CHECK_TROUBLE;
	a.records[0] = str_of(room, 4);
	if (str_eat_word(&text, STR("MX ")))
		a.records[0] = str_eq(text, STR("-")) ? STR("\0\0") : STR("\0\12mx.test");
	else if (str_eat_word(&text, STR("TXT ")))
		a.records[0] = text;
	a.n_records = a.found == CHECK_FOUND;
	if (text.n >= 3 && ascii_digit(text.p[0])) {
		a.verdict = reply_make(atoi(text.p), 0, 0, 0, "%.*s", STR_ARG(str_skip(text, 10)));
		for (size_t i = 0; i < 3 && text.n > 9; i++)
			a.verdict.enh[i] = (uint8_t)(text.p[4 + 2 * i] - '0');
	}
	return a;
}

static struct check_facts facts(struct buf *notes)
{
	return (struct check_facts){
		.client = STR("host.test[192.0.2.9]"),
		.name = STR("host.test"),
		.address = STR("192.0.2.9"),
		.reverse = STR("rev.test"),
		.helo = STR("helo.test"),
		.sender = STR("s@from.test"),
		.recipient = STR("r@to.test"),
		.has_sender = true,
		.has_recipient = true,
		.esmtp = true,
		.input_waits = true,
		.mynetworks = STR("127.0.0.0/8, !192.0.2.8 [::1]/128 192.0.2.0/24"),
		.note = take_note,
		.arg = notes,
	};
}

static void parse(const char *const texts[], struct arena *arena, struct restrict_program programs[],
		  const struct restrict_program *lists[])
{
	struct err err = { 0 };

	for (unsigned i = 0; i < RESTRICT_LISTS; i++) {
		lists[i] = texts[i] ? &programs[i] : NULL;
		ck_assert_msg(!texts[i] || restrict_parse(str_from(texts[i]), i, true, arena, &programs[i], &err), "%s",
			      err.text);
	}
}

/* What reply comes of it; *asked and *notes are filled. */
static struct reply run(struct checks *c, const struct check_facts *f, const char *answers, struct buf *asked)
{
	struct str rest = str_from(answers);
	struct check_ask ask;
	enum checks_next next = checks_next(c, f, NULL, &ask);
	char room[4];

	while (next != CHECKS_DONE) {
		tell_question(asked, next, &ask);
		ck_assert_msg(rest.n > 0, "asked for more: %.*s", STR_ARG(buf_str(asked)));
		struct check_answer a = take_answer(str_cut(&rest, '|'), room);
		next = checks_next(c, f, &a, &ask);
	}
	ck_assert_uint_eq(rest.n, 0);
	return c->reply;
}

static void check_reply(struct reply r, const char *want)
{
	char got[400] = "";

	if (r.code)
		snprintf(got, sizeof(got), "%d %d.%d.%d %s", r.code, r.enh[0], r.enh[1], r.enh[2], r.text);
	ck_assert_str_eq(got, want);
}

START_TEST(check_cases)
{
	const struct row *row = &rows[_i];
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf asked = { 0 }, notes = { 0 };
	struct restrict_program programs[RESTRICT_LISTS];
	const struct restrict_program *lists[RESTRICT_LISTS];
	struct check_facts f = facts(&notes);
	struct checks c;

	parse(row->lists, &arena, programs, lists);
	checks_begin(&c, lists);
	struct reply r = run(&c, &f, row->answers, &asked);
	ck_assert_str_eq(buf_cstr(&asked), row->asked ? row->asked : "");
	check_reply(r, row->reply);
	ck_assert_str_eq(buf_cstr(&notes), row->notes ? row->notes : "");
	checks_end(&c);
}
END_TEST

/* ---- facts that differ ---- */

static const struct {
	enum restrict_list list;
	const char *word;
	struct check_facts f;
	const char *reply;
} forms[] = {
	{ RESTRICT_CLIENT, "permit_mynetworks, reject", { .address = STR("192.0.2.8"), .client = STR("c") },
	  "554 5.7.1 <c>: Client host rejected: Access denied" },
	{ RESTRICT_CLIENT, "permit_mynetworks, reject", { .address = STR("local"), .client = STR("c") },
	  "554 5.7.1 <c>: Client host rejected: Access denied" },
	{ RESTRICT_CLIENT, "permit_mynetworks, reject", { .address = STR("::1") }, "" },
	{ RESTRICT_CLIENT, "permit_sasl_authenticated, reject", { .login = STR("u") }, "" },
	{ RESTRICT_CLIENT, "reject_unknown_client_hostname", { .name = STR("unknown"), .address = STR("192.0.2.7") },
	  "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]" },
	{ RESTRICT_CLIENT, "reject_unknown_client_hostname", { .name = STR("unknown"), .address = STR("local") }, "" },
	{ RESTRICT_CLIENT, "reject_unknown_reverse_client_hostname", { .address = STR("::2") },
	  "450 4.7.25 Client host rejected: cannot find your reverse hostname, [::2]" },
	{ RESTRICT_CLIENT, "reject_rbl_client bl.test", { .address = STR("local") }, "" },
	{ RESTRICT_SENDER, "reject_rhsbl_sender bl.test", { .has_sender = true, .address = STR("192.0.2.7") }, "" },
	{ RESTRICT_SENDER, "reject_rhsbl_sender bl.test",
	  { .has_sender = true, .sender = STR("nodomain"), .address = STR("192.0.2.7") }, "" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("a_b") }, "" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("") }, "" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("192.0.2.1") },
	  "501 5.5.2 <192.0.2.1>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("-a") },
	  "501 5.5.2 <-a>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("a..b") },
	  "501 5.5.2 <a..b>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("a b") },
	  "501 5.5.2 <a b>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("[192.0.2.256]") },
	  "501 5.5.2 <[192.0.2.256]>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("[2001:db8::1]") },
	  "501 5.5.2 <[2001:db8::1]>: Helo command rejected: Invalid name" },
	{ RESTRICT_HELO, "reject_invalid_helo_hostname", { .helo = STR("[IPv6:2001:db8::1]") }, "" },
	{ RESTRICT_HELO, "reject_non_fqdn_helo_hostname", { .helo = STR("localhost") },
	  "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname" },
	{ RESTRICT_HELO, "reject_non_fqdn_helo_hostname", { .helo = STR("a.") },
	  "504 5.5.2 <a.>: Helo command rejected: need fully-qualified hostname" },
	{ RESTRICT_HELO, "reject_non_fqdn_helo_hostname", { .helo = STR("[192.0.2.1]") }, "" },
	{ RESTRICT_HELO, "reject_unknown_helo_hostname", { .helo = STR("a..b") },
	  "450 4.7.1 <a..b>: Helo command rejected: Host not found" },
	{ RESTRICT_HELO, "check_helo_access t:x, check_sender_access t:x, check_recipient_access t:x", { .helo = STR("") }, "" },
	{ RESTRICT_SENDER, "reject_non_fqdn_sender", { .sender = STR("") }, "" },
	{ RESTRICT_SENDER, "reject_non_fqdn_sender", { .sender = STR("me") },
	  "504 5.5.2 <me>: Sender address rejected: need fully-qualified address" },
	{ RESTRICT_SENDER, "reject_non_fqdn_sender", { .sender = STR("me@host") },
	  "504 5.5.2 <me@host>: Sender address rejected: need fully-qualified address" },
	{ RESTRICT_SENDER, "reject_non_fqdn_sender", { .sender = STR("me@[192.0.2.1]") }, "" },
	{ RESTRICT_SENDER, "reject_non_fqdn_sender", { .sender = STR("\"a@b.c\"@d") },
	  "504 5.5.2 <\"a@b.c\"@d>: Sender address rejected: need fully-qualified address" },
	{ RESTRICT_RECIPIENT, "reject_non_fqdn_recipient", { .recipient = STR("Postmaster") }, "" },
	{ RESTRICT_RECIPIENT, "reject_non_fqdn_recipient", { .recipient = STR("me") },
	  "504 5.5.2 <me>: Recipient address rejected: need fully-qualified address" },
	{ RESTRICT_SENDER, "reject_unknown_sender_domain, reject_unlisted_sender, reject_sender_login_mismatch", { .sender = STR("") }, "" },
	{ RESTRICT_SENDER, "reject_unknown_sender_domain", { .sender = STR("a@[192.0.2.1]") }, "" },
	{ RESTRICT_CLIENT, "reject_unauth_pipelining", { .input_waits = true, .client = STR("c") },
	  "503 5.5.0 <c>: Client host rejected: Improper use of SMTP command pipelining" },
	{ RESTRICT_DATA, "reject_unauth_pipelining", { .input_waits = true, .esmtp = true, .at_data = true },
	  "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining" },
	{ RESTRICT_DATA, "reject_unauth_pipelining", { .esmtp = true, .at_data = true }, "" },
	{ RESTRICT_DATA, "reject", { .at_data = true }, "554 5.7.1 <DATA>: Data command rejected: Access denied" },
	{ RESTRICT_DATA, "reject_unauth_destination, check_recipient_access t:x", { .at_data = true }, "" },
};

START_TEST(form_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf asked = { 0 }, notes = { 0 };
	struct restrict_program programs[RESTRICT_LISTS];
	const struct restrict_program *lists[RESTRICT_LISTS];
	const char *texts[RESTRICT_LISTS] = { 0 };
	struct check_facts f = forms[_i].f, usual = facts(&notes);
	struct checks c;

	texts[forms[_i].list] = forms[_i].word;
	f.mynetworks = usual.mynetworks;
	f.note = usual.note;
	f.arg = usual.arg;
	parse(texts, &arena, programs, lists);
	checks_begin(&c, lists);
	check_reply(run(&c, &f, "", &asked), forms[_i].reply);
	checks_end(&c);
}
END_TEST

/* What becomes of the message: fields in order, each once, and marks. */
START_TEST(outcomes)
{
	static const char *const texts[RESTRICT_LISTS] = { [RESTRICT_CLIENT] = "t:a, t:b", [RESTRICT_RECIPIENT] = "t:c, t:d, reject" };
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf asked = { 0 }, notes = { 0 };
	struct restrict_program programs[RESTRICT_LISTS];
	const struct restrict_program *lists[RESTRICT_LISTS];
	struct check_facts f = facts(&notes);
	struct checks c;

	parse(texts, &arena, programs, lists);
	checks_begin(&c, lists);
	check_reply(run(&c, &f, "ROW PREPEND X-A: 1|ROW PREPEND X-B: 2|ROW HOLD|ROW DISCARD quietly", &asked), "");
	ck_assert_str_eq(buf_cstr(&c.prepend), "X-A: 1\nX-B: 2\n");
	ck_assert(c.hold && c.discard);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&notes), "discard: <r@to.test>: Recipient address quietly\n"));
	checks_end(&c);

	/* before there is a message nothing can be done with it */
	f.has_sender = f.has_recipient = false;
	checks_begin(&c, lists);
	check_reply(run(&c, &f, "ROW HOLD", &asked),
		    "451 4.3.5 <host.test[192.0.2.9]>: Client host rejected: Server configuration error");
	checks_end(&c);
}
END_TEST

TEST_MAIN("checks", {
	tcase_add_loop_test(tc, check_cases, 0, COUNT(rows));
	tcase_add_loop_test(tc, form_cases, 0, COUNT(forms));
	tcase_add_test(tc, outcomes);
})
