#include "smtp/check_steps.h"

#include <stdio.h>

#include "base/net.h"
#include "base/utf8.h"
#include "conf/conf.h"

/* ---- what a refusal is about ---- */

struct step_subject subject_client(const struct check_facts *f)
{
	return (struct step_subject){ "Client host", f->client };
}

struct step_subject subject_helo(const struct check_facts *f)
{
	return (struct step_subject){ "Helo command", f->helo };
}

struct step_subject subject_sender(const struct check_facts *f)
{
	return (struct step_subject){ "Sender address", f->sender };
}

struct step_subject subject_recipient(const struct check_facts *f)
{
	return (struct step_subject){ "Recipient address", f->recipient };
}

/* Of a word that is about nothing in particular: that of its list. */
static struct step_subject subject_of_list(const struct step_run *r)
{
	switch (r->list) {
	case RESTRICT_CLIENT: return subject_client(r->facts);
	case RESTRICT_HELO: return subject_helo(r->facts);
	case RESTRICT_SENDER: return subject_sender(r->facts);
	case RESTRICT_DATA: return (struct step_subject){ "Data command", STR("DATA") };
	default: return subject_recipient(r->facts);
	}
}

static struct reply make_reply(struct step_subject s, int code, const uint8_t enh[3], struct str text)
{
	return reply_make(code, enh[0], enh[1], enh[2], "<%.*s>: %s rejected: %.*s", STR_ARG(str_head(s.name, 120)),
			  s.what, STR_ARG(text));
}

enum step_go step_reject(struct step_run *r, struct step_subject s, int code, const uint8_t enh[3], struct str text)
{
	r->checks->reply = make_reply(s, code, enh, text);
	return GO_REJECT;
}

/* ---- access tables ---- */

static enum step_go misconfigured(struct step_run *r, struct step_subject s, struct str value)
{
	char text[300];

	snprintf(text, sizeof(text), "table %.*s: unknown action '%.*s'", STR_ARG(str_head(r->step->arg, 100)),
		 STR_ARG(str_head(value, 100)));
	r->facts->note(r->facts->arg, "warning", str_from(text));
	return STEP_REJECT(r, s, 451, 4, 3, 5, "Server configuration error");
}

/* "Name: text": one field that is what it seems. */
static bool is_field(struct str text)
{
	ptrdiff_t colon = str_find(text, ':');

	for (ptrdiff_t i = 0; i < colon; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
			return false;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' && text.p[i] != '\t')
			return false;
	return colon > 0 && text.n <= 900 && utf8_valid(text);
}

static bool prepend(struct checks *c, struct str field)
{
	struct str rest = buf_str(&c->prepend);

	if (!is_field(field))
		return false;
	/* client and sender are looked at for each recipient, and would put it there again */
	while (rest.n > 0)
		if (str_eq(str_cut(&rest, '\n'), field))
			return true;
	return c->prepend.n + field.n + 1 <= CHECKS_PREPEND_MAX && buf_add(&c->prepend, field) &&
	       buf_addc(&c->prepend, '\n');
}

static void tell(struct step_run *r, struct step_subject s, const char *word, const char *name, struct str text)
{
	char line[400];

	if (text.n > 0)
		snprintf(line, sizeof(line), "<%.*s>: %s %.*s", STR_ARG(str_head(s.name, 120)), s.what, STR_ARG(text));
	else
		snprintf(line, sizeof(line), "<%.*s>: %s triggers %s action", STR_ARG(str_head(s.name, 120)), s.what,
			 name);
	r->facts->note(r->facts->arg, word, str_from(line));
}

static enum step_go run_row_checks(struct step_run *r, struct step_subject s, struct str value)
{
	struct checks *c = r->checks;
	struct restrict_program row;

	/* Only one deep: what a row names stands for itself. */
	if (c->row.n > 0 || !restrict_parse(value, r->list, false, &c->arena, &row, NULL) || row.n == 0)
		return misconfigured(r, s, value);
	c->row = row;
	c->row_step = 0;
	return GO_ON;
}

static enum step_go do_row(struct step_run *r, struct step_subject s, struct str value)
{
	struct checks *c = r->checks;
	struct access_row row;
	struct str denied = STR("Access denied"), unavailable = STR("Service unavailable");

	access_parse(value, &row);
	/* what changes a message needs one */
	if (!r->facts->has_sender && row.action >= ACCESS_DISCARD && row.action <= ACCESS_PREPEND)
		return misconfigured(r, s, value);
	switch (row.action) {
	case ACCESS_DUNNO: return GO_ON;
	case ACCESS_OK: return GO_PERMIT;
	case ACCESS_REJECT: return step_reject(r, s, row.code, row.enh, row.text.n > 0 ? row.text : denied);
	case ACCESS_DEFER_IF_REJECT:
		c->if_reject = make_reply(s, row.code, row.enh, row.text.n > 0 ? row.text : unavailable);
		return GO_ON;
	case ACCESS_DEFER_IF_PERMIT:
		c->if_permit = make_reply(s, row.code, row.enh, row.text.n > 0 ? row.text : unavailable);
		return GO_ON;
	case ACCESS_DISCARD:
		c->discard = true;
		tell(r, s, "discard", "DISCARD", row.text);
		return GO_PERMIT;
	case ACCESS_HOLD:
		c->hold = true;
		tell(r, s, "hold", "HOLD", row.text);
		return GO_ON;
	case ACCESS_PREPEND:
		if (!prepend(c, row.text))
			return misconfigured(r, s, value);
		tell(r, s, "prepend", "PREPEND", row.text);
		return GO_ON;
	case ACCESS_WARN: tell(r, s, "warn", "WARN", row.text); return GO_ON;
	case ACCESS_INFO: tell(r, s, "info", "INFO", row.text); return GO_ON;
	case ACCESS_CHECKS: return run_row_checks(r, s, row.text);
	case ACCESS_BAD: break;
	}
	return misconfigured(r, s, value);
}

enum step_go step_access(struct step_run *r, struct step_subject s, enum access_key kind, struct str name,
			 struct str address)
{
	if (!r->answer) {
		r->ask->table = r->step->arg;
		r->ask->kind = kind;
		r->ask->name = name;
		r->ask->address = address;
		return GO_ASK_TABLE;
	}
	switch (r->answer->found) {
	case CHECK_FOUND: return do_row(r, s, r->answer->value);
	case CHECK_TROUBLE: return STEP_REJECT(r, s, 451, 4, 3, 0, "Temporary lookup failure");
	default: return GO_ON;
	}
}

/* ---- the checks ---- */

bool checks_in_networks(struct str list, struct str text)
{
	struct net address, net;
	struct str item;

	if (!net_address(text, &address))
		return false;
	while (conf_list_next(&list, &item)) {
		bool without = str_eat(&item, '!');
		if (!net_parse(item, &net) && net_has(&net, &address))
			return !without;
	}
	return false;
}

static enum step_go ask_address(struct step_run *r, enum address_question what, struct str address)
{
	r->ask->what = what;
	r->ask->address = address;
	return GO_ASK_ADDRESS;
}

static enum step_go destination(struct step_run *r)
{
	if (!r->facts->has_recipient)
		return GO_ON;
	if (!r->answer)
		return ask_address(r, ADDRESS_OURS, r->facts->recipient);
	struct reply said = r->answer->verdict;
	bool ours = said.code == 250;
	if (r->step->check == CHECK_PERMIT_OURS)
		return ours ? GO_PERMIT : GO_ON;
	if (ours)
		return GO_ON;
	if (r->step->check == CHECK_DEFER_NOT_OURS && said.code >= 500) {
		said.code = 454;
		said.enh[0] = 4;
	}
	r->checks->reply = said;
	return GO_REJECT;
}

static enum step_go listed(struct step_run *r, struct str address)
{
	if (address.n == 0)
		return GO_ON;
	if (!r->answer)
		return ask_address(r, ADDRESS_LISTED, address);
	if (r->answer->verdict.code == 250)
		return GO_ON;
	r->checks->reply = r->answer->verdict;
	if (r->step->check == CHECK_SENDER_LISTED && r->checks->reply.code >= 500)
		return STEP_REJECT(r, subject_sender(r->facts), 550, 5, 1, 0, "User unknown");
	return GO_REJECT;
}

/* Whoever is logged in uses what is theirs; whoever is not uses nothing that belongs to a login. */
static enum step_go sender_login(struct step_run *r)
{
	const struct check_facts *f = r->facts;
	bool in = f->login.n > 0;

	if (f->sender.n == 0 ||
	    r->step->check == (in ? CHECK_SENDER_LOGIN_UNAUTHENTICATED : CHECK_SENDER_LOGIN_AUTHENTICATED))
		return GO_ON;
	if (!r->answer)
		return in ? GO_ASK_LOGIN : ask_address(r, ADDRESS_OWNED, f->sender);
	if (r->answer->verdict.code == 250)
		return GO_ON;
	r->checks->reply = r->answer->verdict;
	return GO_REJECT;
}

static enum step_go helo_form(struct step_run *r)
{
	struct str helo = r->facts->helo;

	if (helo.n == 0)
		return GO_ON;
	if (r->step->check == CHECK_HELO_INVALID)
		return name_valid(helo) ? GO_ON : STEP_REJECT(r, subject_helo(r->facts), 501, 5, 5, 2, "Invalid name");
	return name_full(helo) ? GO_ON
			       : STEP_REJECT(r, subject_helo(r->facts), 504, 5, 5, 2, "need fully-qualified hostname");
}

static enum step_go address_form(struct step_run *r, struct step_subject s)
{
	bool postmaster = r->step->check == CHECK_RECIPIENT_FQDN && str_ieq(s.name, STR("postmaster"));

	if (s.name.n == 0 || postmaster || name_full(domain_of(s.name)))
		return GO_ON;
	return STEP_REJECT(r, s, 504, 5, 5, 2, "need fully-qualified address");
}

static enum step_go client_name(struct step_run *r)
{
	const struct check_facts *f = r->facts;
	bool reverse = r->step->check == CHECK_CLIENT_REVERSE;
	struct net ignored;

	if (!net_address(f->address, &ignored) || (reverse ? f->reverse.n > 0 : !str_eq(f->name, STR("unknown"))))
		return GO_ON;
	r->checks->reply = reply_make(450, 4, 7, 25, "Client host rejected: cannot find your %shostname, [%.*s]",
				      reverse ? "reverse " : "", STR_ARG(f->address));
	return GO_REJECT;
}

static enum step_go pipelining(struct step_run *r)
{
	const struct check_facts *f = r->facts;

	if (!f->input_waits || (f->esmtp && !f->at_data))
		return GO_ON;
	struct step_subject s = f->at_data ? (struct step_subject){ "Data command", STR("DATA") } : subject_of_list(r);
	return STEP_REJECT(r, s, 503, 5, 5, 0, "Improper use of SMTP command pipelining");
}

static enum step_go run_access(struct step_run *r)
{
	const struct check_facts *f = r->facts;

	switch (r->step->check) {
	case CHECK_CLIENT_ACCESS: return step_access(r, subject_client(f), ACCESS_KEY_CLIENT, f->name, f->address);
	case CHECK_REVERSE_ACCESS:
		return f->reverse.n > 0 ? step_access(r, subject_client(f), ACCESS_KEY_NAME, f->reverse, STR(""))
					: GO_ON;
	case CHECK_HELO_ACCESS:
		return f->helo.n > 0 ? step_access(r, subject_helo(f), ACCESS_KEY_NAME, f->helo, STR("")) : GO_ON;
	case CHECK_SENDER_ACCESS:
		return f->has_sender ? step_access(r, subject_sender(f), ACCESS_KEY_ADDRESS, STR(""), f->sender)
				     : GO_ON;
	default:
		return f->has_recipient
			       ? step_access(r, subject_recipient(f), ACCESS_KEY_ADDRESS, STR(""), f->recipient)
			       : GO_ON;
	}
}

/* Never empty: that would mean the client's address. */
static struct str or_none(struct str name)
{
	return name.n > 0 ? name : STR("-");
}

static enum step_go run_dns(struct step_run *r)
{
	const struct check_facts *f = r->facts;

	switch (r->step->check) {
	case CHECK_HELO_UNKNOWN: return step_helo_known(r);
	case CHECK_SENDER_DOMAIN: return step_domain(r, subject_sender(f), f->sender);
	case CHECK_RECIPIENT_DOMAIN: return step_domain(r, subject_recipient(f), f->recipient);
	case CHECK_RBL_CLIENT: return step_listed(r, subject_client(f), STR(""));
	case CHECK_RHSBL_CLIENT: return step_listed(r, subject_client(f), or_none(f->name));
	case CHECK_RHSBL_REVERSE: return step_listed(r, subject_client(f), or_none(f->reverse));
	case CHECK_RHSBL_HELO: return step_listed(r, subject_helo(f), or_none(f->helo));
	case CHECK_RHSBL_SENDER: return step_listed(r, subject_sender(f), or_none(domain_of(f->sender)));
	default: return step_listed(r, subject_recipient(f), or_none(domain_of(f->recipient)));
	}
}

enum step_go step_run(struct step_run *r)
{
	const struct check_facts *f = r->facts;

	switch (r->step->check) {
	case CHECK_PERMIT: return GO_PERMIT;
	case CHECK_REJECT: return STEP_REJECT(r, subject_of_list(r), 554, 5, 7, 1, "Access denied");
	case CHECK_DEFER: return STEP_REJECT(r, subject_of_list(r), 450, 4, 3, 2, "Try again later");
	case CHECK_PERMIT_MYNETWORKS: return checks_in_networks(f->mynetworks, f->address) ? GO_PERMIT : GO_ON;
	case CHECK_PERMIT_LOGIN: return f->login.n > 0 ? GO_PERMIT : GO_ON;
	case CHECK_PERMIT_OURS:
	case CHECK_REJECT_NOT_OURS:
	case CHECK_DEFER_NOT_OURS: return destination(r);
	case CHECK_PIPELINING: return pipelining(r);
	case CHECK_HELO_INVALID:
	case CHECK_HELO_FQDN: return helo_form(r);
	case CHECK_SENDER_FQDN: return address_form(r, subject_sender(f));
	case CHECK_RECIPIENT_FQDN: return address_form(r, subject_recipient(f));
	case CHECK_CLIENT_NAME:
	case CHECK_CLIENT_REVERSE: return client_name(r);
	case CHECK_SENDER_LISTED: return listed(r, f->sender);
	case CHECK_RECIPIENT_LISTED: return listed(r, f->recipient);
	case CHECK_SENDER_LOGIN:
	case CHECK_SENDER_LOGIN_AUTHENTICATED:
	case CHECK_SENDER_LOGIN_UNAUTHENTICATED: return sender_login(r);
	case CHECK_CLIENT_ACCESS:
	case CHECK_REVERSE_ACCESS:
	case CHECK_HELO_ACCESS:
	case CHECK_SENDER_ACCESS:
	case CHECK_RECIPIENT_ACCESS: return run_access(r);
	default: return run_dns(r);
	}
}
