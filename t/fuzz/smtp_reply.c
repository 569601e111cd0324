/* Replies of a remote, line by line, each line taken as one of EHLO's too: what is kept of them is fit for logs and reports. */
#include "base/err.h"
#include "smtp/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Written anew here: class "." 1*3digit "." 1*3digit. */
static void check_status(const struct remote_reply *r)
{
	const char *s = r->status;

	if (!*s)
		return;
	ASSERT((*s == '2' || *s == '4' || *s == '5') && *s == '0' + r->code / 100);
	s++;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;
		ASSERT(*s == '.');
		s++;
		while (ascii_digit(s[digits]))
			digits++;
		ASSERT(digits >= 1 && digits <= 3);
		s += digits;
	}
	ASSERT(!*s);
}

static void check_text(const struct remote_reply *r)
{
	size_t n = strnlen(r->text, sizeof(r->text));
	uint64_t code;

	ASSERT(n >= 3 && n < sizeof(r->text));
	for (size_t i = 0; i < n; i++)
		ASSERT(r->text[i] >= ' ' && r->text[i] <= '~');
	ASSERT(str_u64(str_of(r->text, 3), 599, &code) && (int)code == r->code && code >= 200);
}

static void check_taken(const struct remote_reply *before, const struct remote_reply *r, struct str line, enum remote_line got)
{
	scoped_buf struct buf start = { 0 };

	ASSERT(line.n >= 3 && r->lines == before->lines + 1 && r->lines <= REMOTE_LINES_MAX);
	ASSERT((got == REMOTE_MORE) == (line.n > 3 && line.p[3] == '-'));
	check_text(r);
	check_status(r);
	/* a later line changes nothing of what the first ones said */
	ASSERT(str_starts(str_from(r->text), str_from(before->text)));
	if (before->lines > 0)
		ASSERT(r->code == before->code && strcmp(r->status, before->status) == 0);
	ASSERT(buf_add(&start, str_head(line, 3)) && buf_addc(&start, line.n > 3 ? line.p[3] : ' ') &&
	       buf_add(&start, str_from(r->status)));
	if (before->lines == 0 && r->status[0])
		ASSERT(str_starts(line, buf_str(&start)));
}

static void check_offer(struct str line)
{
	scoped_buf struct buf upper = { 0 };
	unsigned offers = 0, more = OFFER_ESMTP | OFFER_AUTH_LOGIN, again = 0;
	uint64_t size = 7, size_more = 7, size_again = 7;

	remote_offer(line, &offers, &size);
	remote_offer(line, &more, &size_more);
	ASSERT(more == (offers | OFFER_ESMTP | OFFER_AUTH_LOGIN) && size_more == size);
	ASSERT(offers < OFFER_ESMTP);
	ASSERT((offers & OFFER_SIZE) || size == 7);
	/* one line is one extension */
	unsigned auth = OFFER_AUTH_PLAIN | OFFER_AUTH_LOGIN | OFFER_AUTH_CRAM_MD5;
	ASSERT((offers & auth) ? !(offers & ~auth) : !(offers & (offers - 1)));
	for (size_t i = 0; i < line.n; i++)
		ASSERT(buf_addc(&upper, line.p[i] >= 'a' && line.p[i] <= 'z' ? (char)(line.p[i] - 32) : line.p[i]));
	remote_offer(buf_str(&upper), &again, &size_again);
	ASSERT(again == offers && size_again == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size);
	struct remote_reply r = { 0 };

	while (rest.n > 0) {
		struct remote_reply before = r;
		struct str line = str_cut(&rest, '\n');
		if (str_ends(line, STR("\r")))
			line = str_head(line, line.n - 1);
		enum remote_line got = remote_take(&r, line);
		if (got != REMOTE_NONSENSE)
			check_taken(&before, &r, line, got);
		if (got != REMOTE_MORE)
			r = (struct remote_reply){ 0 };
		check_offer(line);
		check_offer(str_skip(line, 4));
	}
	return 0;
}
