#include "ipc/messages.h"

#include "base/hash.h"

#define NUMBER(message, FIELDS) TYPE_##message,
enum { TYPE_NONE, IPC_MESSAGES(NUMBER) };

#define SCHEMA(message, FIELDS)                                                                                        \
	static const struct ipc_field message##_rows[] = { FIELDS(IPC_ROW) };                                          \
	const struct ipc_schema message##_schema = { .name = #message,                                                 \
						     .type = TYPE_##message,                                           \
						     .size = sizeof(struct message),                                   \
						     .n = COUNT(message##_rows),                                       \
						     .fields = message##_rows };                                       \
	_Static_assert(sizeof(struct message) <= IPC_STRUCT_MAX, #message " is too large");
IPC_MESSAGES(SCHEMA)

#define POINTER(message, FIELDS) &message##_schema,
const struct ipc_schema *const ipc_messages[] = { IPC_MESSAGES(POINTER) };
const size_t ipc_messages_n = COUNT(ipc_messages);

uint64_t ipc_digest(void)
{
	scoped_buf struct buf all = { 0 };
	static const uint8_t key[16] = "tayori messages";

	for (size_t i = 0; i < ipc_messages_n; i++) {
		buf_addf(&all, "%s(", ipc_messages[i]->name);
		for (size_t k = 0; k < ipc_messages[i]->n; k++)
			buf_addf(&all, "%s:%d,", ipc_messages[i]->fields[k].name, (int)ipc_messages[i]->fields[k].kind);
		buf_add(&all, STR(")\n"));
	}
	return siphash(key, buf_str(&all));
}
