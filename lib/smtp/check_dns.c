/* What the DNS says about a domain, and lists in the DNS. */
#include <stdio.h>

#include "smtp/check_steps.h"

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_TXT = 16, TYPE_AAAA = 28 };
/* Which answer a step waits for. */
enum { ASKED_MX = 1, ASKED_A, ASKED_AAAA, ASKED_OURS, ASKED_LIST, ASKED_REASON };

static enum step_go ask_dns(struct step_run *r, struct str name, uint16_t type, int state)
{
	r->checks->state = state;
	r->ask->name = name;
	r->ask->type = type;
	return GO_ASK_DNS;
}

enum known { IS_KNOWN, IS_UNKNOWN, IS_UNSURE, TAKES_NO_MAIL, IS_ASKED };

/* RFC 7505: one MX, whose host is the root. */
static bool is_null_mx(const struct check_answer *a)
{
	return a->n_records == 1 && a->records[0].n == 2;
}

/* Has the name an MX, or an address? */
static enum known domain_known(struct step_run *r, struct str name)
{
	const struct check_answer *a = r->answer;
	static const struct {
		uint16_t type;
		int state;
	} next[] = { { TYPE_MX, ASKED_MX }, { TYPE_A, ASKED_A }, { TYPE_AAAA, ASKED_AAAA } };
	int state = r->checks->state;

	if (state > 0) {
		if (a->found == CHECK_TROUBLE)
			return IS_UNSURE;
		if (a->found == CHECK_NO_NAME || (a->found == CHECK_NOTHING && state == ASKED_AAAA))
			return IS_UNKNOWN;
		if (a->found == CHECK_FOUND)
			return state == ASKED_MX && is_null_mx(a) ? TAKES_NO_MAIL : IS_KNOWN;
	}
	ask_dns(r, name, next[state].type, next[state].state);
	return IS_ASKED;
}

static enum step_go ask_ours(struct step_run *r, struct str address)
{
	r->checks->state = ASKED_OURS;
	r->ask->what = ADDRESS_OURS;
	r->ask->address = address;
	return GO_ASK_ADDRESS;
}

static enum step_go reject_domain(struct step_run *r, struct step_subject s, const char *text)
{
	bool sender = s.what[0] == 'S';

	return STEP_REJECT(r, s, 450, 4, 1, sender ? 8 : 2, text);
}

enum step_go step_domain(struct step_run *r, struct step_subject s, struct str address)
{
	struct str domain = domain_of(address);
	bool sender = s.what[0] == 'S';

	if (domain.n == 0 || domain.p[0] == '[')
		return GO_ON;
	/* a domain of ours need not be in the DNS that we see */
	if (r->checks->state == ASKED_OURS)
		return r->answer->verdict.code == 250 ? GO_ON : reject_domain(r, s, "Domain not found");
	switch (domain_known(r, domain)) {
	case IS_ASKED: return GO_ASK_DNS;
	case IS_KNOWN: return GO_ON;
	case IS_UNSURE: return reject_domain(r, s, "Domain not found");
	case IS_UNKNOWN: return ask_ours(r, address);
	case TAKES_NO_MAIL: break;
	}
	return sender ? STEP_REJECT(r, s, 550, 5, 7, 27, "Domain does not accept mail (nullMX)")
		      : STEP_REJECT(r, s, 556, 5, 1, 10, "Domain does not accept mail (nullMX)");
}

enum step_go step_helo_known(struct step_run *r)
{
	struct str helo = r->facts->helo;

	if (helo.n == 0 || helo.p[0] == '[')
		return GO_ON;
	if (!name_valid(helo))
		return STEP_REJECT(r, subject_helo(r->facts), 450, 4, 7, 1, "Host not found");
	switch (domain_known(r, helo)) {
	case IS_ASKED: return GO_ASK_DNS;
	case IS_KNOWN:
	case TAKES_NO_MAIL: return GO_ON;
	default: return STEP_REJECT(r, subject_helo(r->facts), 450, 4, 7, 1, "Host not found");
	}
}

/* ---- lists ---- */

static bool counts(const struct step_run *r)
{
	const struct check_answer *a = r->answer;

	for (size_t i = 0; a->found == CHECK_FOUND && i < a->n_records; i++)
		if (a->records[i].n == 4 && restrict_filter_has(r->step->filter, (const uint8_t *)a->records[i].p))
			return true;
	return false;
}

/* What the list says why; it is shown as it is to whoever is refused, so only plain text of it. */
static void take_reason(const struct step_run *r, struct buf *out)
{
	const struct check_answer *a = r->answer;

	if (a->found != CHECK_FOUND || a->n_records == 0)
		return;
	buf_add(out, STR("; "));
	for (size_t i = 0; i < a->records[0].n && i < 160; i++) {
		char c = a->records[0].p[i];
		buf_addc(out, c >= ' ' && c < 0x7f ? c : '?');
	}
}

static enum step_go reject_listed(struct step_run *r, struct step_subject s, bool address)
{
	scoped_buf struct buf reason = { 0 };
	struct str name = address ? r->facts->address : s.name;

	take_reason(r, &reason);
	r->checks->reply = reply_make(554, 5, 7, 1, "Service unavailable; %s [%.*s] blocked using %.*s%.*s", s.what,
				      STR_ARG(str_head(name, 100)), STR_ARG(r->step->arg), STR_ARG(buf_str(&reason)));
	return GO_REJECT;
}

/* "name.list"; false: there is nothing to look for. */
static bool list_name(struct step_run *r, struct str name)
{
	struct checks *c = r->checks;
	scoped_buf struct buf reversed = { 0 };

	if (name.n == 0 && !name_reverse(r->facts->address, &reversed))
		return false;
	if (reversed.n > 0)
		name = buf_str(&reversed);
	else if (!name_full(name) || name.p[0] == '[')
		return false;
	snprintf(c->name, sizeof(c->name), "%.*s.%.*s", STR_ARG(name), STR_ARG(r->step->arg));
	return name.n + 1 + r->step->arg.n <= 253;
}

/* A list that does not answer lets everybody in. */
static void note_silent(const struct step_run *r)
{
	char text[400];

	snprintf(text, sizeof(text), "%s: the list does not answer", r->checks->name);
	r->facts->note(r->facts->arg, "warning", str_from(text));
}

enum step_go step_listed(struct step_run *r, struct step_subject s, struct str name)
{
	struct checks *c = r->checks;

	if (c->state == 0)
		return list_name(r, name) ? ask_dns(r, str_from(c->name), TYPE_A, ASKED_LIST) : GO_ON;
	if (c->state == ASKED_REASON)
		return reject_listed(r, s, name.n == 0);
	if (r->answer->found == CHECK_TROUBLE)
		note_silent(r);
	return counts(r) ? ask_dns(r, str_from(c->name), TYPE_TXT, ASKED_REASON) : GO_ON;
}
