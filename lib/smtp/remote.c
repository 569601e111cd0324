#include "smtp/remote.h"

static int take_code(struct str line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_digit(line.p[1]) || !ascii_digit(line.p[2]))
		return 0;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
}

static void add_text(struct remote_reply *r, struct str line)
{
	size_t n = strlen(r->text);

	if (n > 0 && n + 1 < sizeof(r->text))
		r->text[n++] = ' ';
	for (size_t i = 0; i < line.n && n + 1 < sizeof(r->text); i++)
		r->text[n++] = line.p[i] >= ' ' && line.p[i] < 0x7f ? line.p[i] : '?';
	r->text[n] = '\0';
}

/* "5.1.1" of the class that the code has (RFC 2034, 4; RFC 3463, 2): it goes into reports as it is, so nothing like it does. */
static void take_status(struct remote_reply *r, struct str text)
{
	struct str word = str_cut(&text, ' '), rest = word;
	uint64_t part;

	if (word.n >= sizeof(r->status) || word.n < 5 || word.p[0] != '0' + r->code / 100 || word.p[0] == '3')
		return;
	for (int i = 0; i < 3; i++) {
		struct str digits = str_cut(&rest, '.');
		if (digits.n > (i == 0 ? 1 : 3) || !str_u64(digits, 999, &part))
			return;
	}
	if (rest.n > 0 || str_ends(word, STR(".")))
		return;
	memcpy(r->status, word.p, word.n);
	r->status[word.n] = '\0';
}

enum remote_line remote_take(struct remote_reply *r, struct str line)
{
	int code = take_code(line);
	struct str text = str_skip(line, 4);

	if (code == 0 || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-') || (r->lines > 0 && code != r->code) ||
	    ++r->lines > REMOTE_LINES_MAX)
		return REMOTE_NONSENSE;
	r->code = code;
	if (r->lines == 1) {
		take_status(r, text);
		add_text(r, str_head(line, 3));
	}
	if (text.n > 0)
		add_text(r, text);
	return line.n > 3 && line.p[3] == '-' ? REMOTE_MORE : REMOTE_WHOLE;
}

static void take_mechanisms(struct str rest, unsigned *offers)
{
	static const struct {
		struct str name;
		unsigned offer;
	} known[] = { { STR("PLAIN"), OFFER_AUTH_PLAIN }, { STR("LOGIN"), OFFER_AUTH_LOGIN }, { STR("CRAM-MD5"), OFFER_AUTH_CRAM_MD5 } };

	while (rest.n > 0) {
		struct str word = str_cut(&rest, ' ');
		for (size_t i = 0; i < COUNT(known); i++)
			if (str_ieq(word, known[i].name))
				*offers |= known[i].offer;
	}
}

void remote_offer(struct str line, unsigned *offers, uint64_t *size)
{
	static const struct {
		struct str name;
		unsigned offer;
	} known[] = { { STR("PIPELINING"), OFFER_PIPELINING }, { STR("8BITMIME"), OFFER_8BITMIME }, { STR("SMTPUTF8"), OFFER_SMTPUTF8 },
		      { STR("STARTTLS"), OFFER_STARTTLS }, { STR("SIZE"), OFFER_SIZE } };
	struct str rest = str_trim(line), word = str_cut(&rest, ' ');

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_ieq(word, known[i].name))
			*offers |= known[i].offer;
	if (str_ieq(word, STR("SIZE")) && !str_u64(str_trim(rest), UINT64_MAX, size))
		*size = 0;
	if (str_ieq(word, STR("AUTH")))
		take_mechanisms(rest, offers);
	else if (str_istarts(word, STR("AUTH="))) { /* as servers of the nineties wrote it */
		word = str_skip(word, 5);
		take_mechanisms(word, offers);
		take_mechanisms(rest, offers);
	}
}
