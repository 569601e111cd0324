/* A whole IMAP session after the login: the input is what the client sends; the mailbox holds a few messages. */
#include "fuzz/imap_home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t early = size > 0 ? data[0] % size : 0; /* what came before the hand-over */
	struct session_start start = { .tag = STR("login"), .input = str_of(data, early) };

	run_session(&start, str_of(data + early, size - early));
	return 0;
}
