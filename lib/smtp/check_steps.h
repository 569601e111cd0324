/* check_steps - what each restriction does. Private to checks.c. */
#ifndef SMTP_CHECK_STEPS_H
#define SMTP_CHECK_STEPS_H

#include "smtp/checks.h"

enum step_go {
	GO_ON, /* it has nothing to say */
	GO_PERMIT,
	GO_REJECT, /* checks->reply says how */
	GO_ASK_TABLE,
	GO_ASK_ADDRESS,
	GO_ASK_LOGIN,
	GO_ASK_DNS,
};

struct step_run {
	struct checks *checks;
	const struct check_facts *facts;
	const struct check_answer *answer; /* NULL when the step begins */
	struct check_ask *ask;
	const struct restrict_step *step;
	unsigned list;
};

/* The step is called again with the answer to what it asks; checks->state tells it how far it was. */
enum step_go step_run(struct step_run *r);

/* What a refusal is about: "Sender address", and which. */
struct step_subject {
	const char *what;
	struct str name;
};
struct step_subject subject_client(const struct check_facts *f);
struct step_subject subject_helo(const struct check_facts *f);
struct step_subject subject_sender(const struct check_facts *f);
struct step_subject subject_recipient(const struct check_facts *f);

/* "<name>: what rejected: text" */
enum step_go step_reject(struct step_run *r, struct step_subject s, int code, const uint8_t enh[3], struct str text);
#define STEP_REJECT(r, subject, code, a, b, c, text) \
	step_reject(r, subject, code, (const uint8_t[3]){ a, b, c }, str_from(text))

/* check_*_access: asks the table about the key, and does what the row says. */
enum step_go step_access(struct step_run *r, struct step_subject s, enum access_key kind, struct str name,
			 struct str address);

/* ---- of the DNS (check_dns.c) ---- */
enum step_go step_domain(struct step_run *r, struct step_subject s, struct str address);
enum step_go step_helo_known(struct step_run *r);
/* `name`: the domain that is looked for in the list; empty: the client's address. */
enum step_go step_listed(struct step_run *r, struct step_subject s, struct str name);

/* ---- names (check_names.c) ---- */
/* A host name of letters, digits, '-' and '_', with a letter in its last label; or an address in brackets. */
bool name_valid(struct str name);
/* The same with a dot in it. */
bool name_full(struct str name);
/* Behind the last @; empty: there is none. */
struct str domain_of(struct str address);
/* "1.2.0.192" or 32 nibbles, for lists in the DNS. False: no address. */
bool name_reverse(struct str address, struct buf *out);

#endif
