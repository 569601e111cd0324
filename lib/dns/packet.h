/*
 * packet - an answer of the DNS as it comes over the wire (RFC 1035, 4.1), taken apart. Pure.
 *
 * Names are given as text in lower case without the last dot, "" for the root; a name with octets that no host name has (all but
 * letters, digits, '-', '_' in its labels) is DNS_BAD_NAME, which is no name at all, so that nothing odd goes further. A
 * name of more than 255 octets on the wire, or with more pointers than any server writes, is malformed.
 */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include "base/buf.h"
#include "ipc/schema.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };
enum { DNS_NAME_MAX = 255, DNS_RECORDS_MAX = 256, DNS_CNAMES_MAX = 12, DNS_PACKET_MAX = 65535 };
#define DNS_BAD_NAME "?"

struct dns_answer_set {
	/*
	 * A, AAAA: the address's 4 or 16 octets; MX: two octets of preference, then the host; CNAME, PTR: the name; TXT: the
	 * strings put together; TLSA: as on the wire.
	 */
	struct buf raw;
	struct strs records; /* lies in raw */
	uint32_t ttl;	     /* the least of all, CNAMEs too; 0: none was seen */
	char canonical[DNS_NAME_MAX + 1]; /* the name asked for or the last of its aliases; never DNS_BAD_NAME */
	unsigned rcode;
	bool cut; /* more than DNS_RECORDS_MAX: the rest is left out */
};

void dns_answer_set_free(struct dns_answer_set *a);

/*
 * Takes the records of `type` for `name` from the answer section, over its CNAMEs. False: malformed, or CNAMEs without
 * end; *out then holds nothing. No records and rcode 0 is an answer too.
 */
bool dns_packet_parse(struct str packet, struct str name, uint16_t type, struct dns_answer_set *out);

/* Whether it can be asked about: labels of 1 to 63 octets as above, at most 253 in all, a dot at the end allowed. */
bool dns_name_ok(struct str name);

#endif
