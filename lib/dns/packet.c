#include "dns/packet.h"

enum { HEAD = 12, POINTERS_MAX = 64, LABEL_MAX = 63, CLASS_IN = 1 };

/* A position in the packet; `bad` once anything did not fit. */
struct place {
	struct str packet;
	size_t at;
	bool bad;
};

static unsigned take(struct place *p, size_t octets)
{
	unsigned v = 0;

	if (p->bad || octets > p->packet.n - p->at) {
		p->bad = true;
		return 0;
	}
	for (size_t i = 0; i < octets; i++)
		v = v << 8 | (uint8_t)p->packet.p[p->at++];
	return v;
}

static bool label_ok(struct str label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return label.n > 0;
}

/* The caller has seen that it fits. */
static void add_label(struct str label, char out[DNS_NAME_MAX + 1], size_t *n, bool *odd)
{
	if (*odd || !label_ok(label)) {
		*odd = true;
		return;
	}
	if (*n > 0)
		out[(*n)++] = '.';
	for (size_t i = 0; i < label.n; i++)
		out[(*n)++] = ascii_lower(label.p[i]);
}

/*
 * Pointers only lead back, and each farther than the one before: no name goes in circles. The limits of octets and of
 * pointers bound the time that each of thousands of names in a hostile packet takes.
 */
static void take_name(struct place *p, char out[DNS_NAME_MAX + 1])
{
	struct place at = *p;
	size_t n = 0, limit = p->at, octets = 0;
	unsigned pointers = 0;
	bool odd = false;

	for (;;) {
		unsigned length = take(&at, 1);
		if (at.bad) {
			p->bad = true;
			return;
		}
		if (length >= 0xc0) {
			size_t target = (length & 0x3f) << 8 | take(&at, 1);
			if (pointers == 0)
				p->at = at.at;
			if (at.bad || target >= limit || ++pointers > POINTERS_MAX) {
				p->bad = true;
				return;
			}
			limit = at.at = target;
			continue;
		}
		octets += 1 + length;
		if (length > LABEL_MAX || length > at.packet.n - at.at || octets > DNS_NAME_MAX) {
			p->bad = true;
			return;
		}
		if (length == 0)
			break;
		add_label(str_of(at.packet.p + at.at, length), out, &n, &odd);
		at.at += length;
	}
	if (pointers == 0)
		p->at = at.at;
	if (odd)
		n = (size_t)(stpcpy(out, DNS_BAD_NAME) - out);
	out[n] = '\0';
}

struct record {
	char owner[DNS_NAME_MAX + 1];
	unsigned type, class;
	uint32_t ttl;
	size_t data, n;
};

static void take_record(struct place *p, struct record *r)
{
	take_name(p, r->owner);
	r->type = take(p, 2);
	r->class = take(p, 2);
	r->ttl = take(p, 4);
	r->n = take(p, 2);
	r->data = p->at;
	if (p->bad || r->n > p->packet.n - p->at)
		p->bad = true;
	else
		p->at += r->n;
}

static bool add_text(struct str data, struct buf *out)
{
	while (data.n > 0) {
		size_t n = (uint8_t)data.p[0];
		if (n > data.n - 1)
			return false;
		buf_add(out, str_of(data.p + 1, n));
		data = str_skip(data, n + 1);
	}
	return true;
}

/* False: its data does not fit its type. */
static bool add_record(const struct place *p, const struct record *r, struct dns_answer_set *out)
{
	struct place inner = { str_head(p->packet, r->data + r->n), r->data, false };
	struct str data = str_of(p->packet.p + r->data, r->n);
	scoped_buf struct buf value = { 0 };
	char name[DNS_NAME_MAX + 1];

	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		if (r->n != (r->type == DNS_A ? 4u : 16u))
			return false;
		buf_add(&value, data);
		break;
	case DNS_MX:
		buf_add(&value, str_head(data, 2));
		take(&inner, 2);
		/* fall through */
	case DNS_CNAME:
	case DNS_PTR:
		take_name(&inner, name);
		if (inner.bad || inner.at != r->data + r->n)
			return false;
		buf_add(&value, str_from(name));
		break;
	case DNS_TXT:
		if (!add_text(data, &value))
			return false;
		break;
	default: buf_add(&value, data);
	}
	return strs_add(&out->raw, &out->records, buf_str(&value));
}

/*
 * One walk over the answers for each name of the chain: servers give CNAMEs in order, but need not. *next: the name
 * that this one is an alias for, or "".
 */
static bool walk(struct place p, unsigned answers, const char *name, uint16_t type, struct dns_answer_set *out,
		 char next[DNS_NAME_MAX + 1])
{
	struct record r;

	next[0] = '\0';
	for (unsigned i = 0; i < answers; i++) {
		take_record(&p, &r);
		if (p.bad)
			return false;
		if (r.class != CLASS_IN || strcmp(r.owner, name) != 0)
			continue;
		if (r.type != type && r.type != DNS_CNAME)
			continue;
		/* one with the top bit set counts as 0 (RFC 2181, 8) */
		uint32_t ttl = r.ttl >> 31 ? 0 : r.ttl;
		if (out->ttl > ttl)
			out->ttl = ttl;
		if (r.type == DNS_CNAME && type != DNS_CNAME) {
			struct place target = { str_head(p.packet, r.data + r.n), r.data, false };
			take_name(&target, next);
			if (target.bad || target.at != r.data + r.n)
				return false;
		} else if (out->records.n >= DNS_RECORDS_MAX) {
			out->cut = true;
		} else if (!add_record(&p, &r, out)) {
			return false;
		}
	}
	return true;
}

static void skip_question(struct place *p)
{
	char name[DNS_NAME_MAX + 1];

	take_name(p, name);
	take(p, 4);
}

static bool parse(struct str packet, struct str name, uint16_t type, struct dns_answer_set *out)
{
	struct place p = { packet, 0, packet.n > DNS_PACKET_MAX };
	char next[DNS_NAME_MAX + 1];
	size_t n = name.n > 0 && name.p[name.n - 1] == '.' ? name.n - 1 : name.n;

	take(&p, 2);
	out->rcode = take(&p, 2) & 15;
	unsigned questions = take(&p, 2), answers = take(&p, 2);
	take(&p, 4);
	if (p.bad || n > DNS_NAME_MAX || questions > 1)
		return false;
	if (questions)
		skip_question(&p);
	if (p.bad)
		return false;
	for (size_t i = 0; i < n; i++)
		out->canonical[i] = ascii_lower(name.p[i]);
	out->canonical[n] = '\0';
	for (int hops = 0; hops <= DNS_CNAMES_MAX; hops++) {
		if (!walk(p, answers, out->canonical, type, out, next))
			return false;
		/* what an odd name stands for is not looked for: all odd names look the same here */
		if (!next[0] || out->records.n > 0 || strcmp(next, DNS_BAD_NAME) == 0)
			return true;
		memcpy(out->canonical, next, sizeof(next));
	}
	return false;
}

bool dns_packet_parse(struct str packet, struct str name, uint16_t type, struct dns_answer_set *out)
{
	*out = (struct dns_answer_set){ .ttl = UINT32_MAX };
	if (parse(packet, name, type, out)) {
		if (out->ttl == UINT32_MAX)
			out->ttl = 0;
		return true;
	}
	dns_answer_set_free(out);
	return false;
}

void dns_answer_set_free(struct dns_answer_set *a)
{
	buf_free(&a->raw);
	*a = (struct dns_answer_set){ 0 };
}

bool dns_name_ok(struct str name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > 253)
		return false;
	while (name.n > 0) {
		bool more = str_find(name, '.') >= 0;
		struct str label = str_cut(&name, '.');
		if (!label_ok(label) || label.n > LABEL_MAX || (more && name.n == 0))
			return false;
	}
	return true;
}
