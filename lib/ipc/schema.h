/*
 * schema - what a message between daemons looks like: one field list gives the struct, encoder, strict decoder, trace
 * text and the digest that peers compare.
 *
 *	#define GREET_FIELDS(F) F(str, name) F(u32, count) F(fd, content)
 *	IPC_MESSAGE(greet, GREET_FIELDS)      struct greet, extern greet_schema
 * and a row in ipc/messages.h, which gives it its number.
 *
 * On the wire integers are little endian and strings carry their length. A message never holds pointers into itself
 * after decoding but slices of the received frame: they live as long as the handler runs.
 */
#ifndef IPC_SCHEMA_H
#define IPC_SCHEMA_H

#include "base/buf.h"

enum {
	IPC_FRAME_MAX = 80 * 1024, /* octets in a frame, its head included */
	IPC_FDS_MAX = 4,	   /* descriptors in a frame */
	IPC_STRUCT_MAX = 1024,	   /* sizeof of any message's struct */
};

/* A list of strings, encoded: walk it with strs_next. To send, fill a buf by strs_add and point to its bytes. */
struct strs {
	uint32_t n;
	struct str raw;
};

enum ipc_kind { IPC_u8, IPC_u16, IPC_u32, IPC_u64, IPC_i64, IPC_bool, IPC_str, IPC_strs, IPC_fd };

typedef uint8_t ipc_u8;
typedef uint16_t ipc_u16;
typedef uint32_t ipc_u32;
typedef uint64_t ipc_u64;
typedef int64_t ipc_i64;
typedef bool ipc_bool;
typedef struct str ipc_str;
typedef struct strs ipc_strs;
typedef int ipc_fd; /* -1: none. The receiver's handler takes it (fd_take) or it is closed after it. */

/* Where a field lies in its struct follows from the kinds before it, as the C ABI has it: no offset is stated. */
struct ipc_field {
	const char *name;
	enum ipc_kind kind;
};

struct ipc_schema {
	const char *name;
	uint16_t type; /* its number, unique in the house: see ipc/messages.h */
	uint16_t size;
	uint16_t n;
	const struct ipc_field *fields;
};

#define IPC_MEMBER(kind, name) ipc_##kind name;
#define IPC_MESSAGE(message, FIELDS)                                                                                   \
	struct message {                                                                                               \
		FIELDS(IPC_MEMBER)                                                                                     \
	};                                                                                                             \
	extern const struct ipc_schema message##_schema;

#define IPC_ROW(kind, name) { #name, IPC_##kind },

/* Appends the message's fields; descriptors go into fds (not duplicated, not closed). False: over a limit. */
bool ipc_encode(const struct ipc_schema *schema, const void *message, struct buf *out, int fds[IPC_FDS_MAX], size_t *n_fds);
/*
 * Strict: every field whole, nothing left over, as many descriptors as fields that carry one. `fds` that a field took
 * are set to -1. False: malformed; *message is then undefined and no descriptor is taken.
 */
bool ipc_decode(const struct ipc_schema *schema, struct str in, int fds[], size_t n_fds, void *message);
/* "greet name='x' count=3 content=fd", for traces; values are escaped and cut. */
void ipc_trace(const struct ipc_schema *schema, const void *message, struct buf *out);

/* Closes the descriptors that a decoded message still holds. */
void ipc_close_fds(const struct ipc_schema *schema, void *message);

bool strs_add(struct buf *b, struct strs *list, struct str s);
/* The next string, from *at = 0; false at the end. */
bool strs_next(const struct strs *list, size_t *at, struct str *s);

#endif
