/* Every message between daemons: what decodes is encoded again to the same octets, and traced. */
#include <stdlib.h>

#include "ipc/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX];
	scoped_buf struct buf out = { 0 }, text = { 0 };
	int fds[IPC_FDS_MAX] = { 0, 1, 2, 0 }, back[IPC_FDS_MAX];
	size_t n_back = 0;

	if (size < 2)
		return 0;
	const struct ipc_schema *schema = ipc_messages[data[0] % ipc_messages_n];
	size_t n_fds = data[1] % (IPC_FDS_MAX + 1);
	struct str in = str_of(data + 2, size - 2);
	if (!ipc_decode(schema, in, fds, n_fds, message))
		return 0;
	if (!ipc_encode(schema, message, &out, back, &n_back) || n_back != n_fds || !str_eq(buf_str(&out), in))
		abort();
	ipc_trace(schema, message, &text);
	return 0;
}
