/* Lines of a client, divided by LF; the first is the mechanism, the second the initial response. */
#include "base/err.h"
#include "base/utf8.h"
#include "sasl/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_done(const struct sasl *s)
{
	ASSERT(s->authcid.n > 0 && s->authcid.n <= SASL_NAME_MAX && utf8_valid(s->authcid));
	ASSERT(s->authzid.n <= SASL_NAME_MAX && utf8_valid(s->authzid));
	ASSERT(s->password.n > 0 && s->password.n <= SASL_PASSWORD_MAX && str_find(s->password, '\0') < 0);
}

static void check_wiped(const struct sasl *s)
{
	for (size_t i = 0; i < sizeof(s->store); i++)
		ASSERT(s->store[i] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size);
	struct str mechanism = str_cut(&rest, '\n');
	struct sasl s;
	enum sasl_result r = sasl_start(&s, mechanism, str_cut(&rest, '\n'));

	while (r == SASL_CONTINUE && rest.n > 0)
		r = sasl_step(&s, str_cut(&rest, '\n'));
	if (r == SASL_DONE)
		check_done(&s);
	if (r == SASL_CONTINUE || r == SASL_DONE)
		sasl_end(&s);
	check_wiped(&s);
	return 0;
}
