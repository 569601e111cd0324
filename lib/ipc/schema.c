#include "ipc/schema.h"

#include "base/err.h"
#include "io/fd.h"

static bool put_bytes(struct buf *out, const void *p, size_t n)
{
	return buf_add(out, str_of(p, n));
}

/* x86 and arm64 are little endian; so is the wire. */
static bool put_u32(struct buf *out, uint32_t v)
{
	return put_bytes(out, &v, sizeof(v));
}

struct kind_facts {
	uint8_t size, align; /* of the C type */
	uint8_t fixed;	     /* octets on the wire, 0: it depends */
};

static const struct kind_facts kinds[] = {
	[IPC_u8] = { 1, 1, 1 },
	[IPC_u16] = { 2, 2, 2 },
	[IPC_u32] = { 4, 4, 4 },
	[IPC_u64] = { 8, 8, 8 },
	[IPC_i64] = { 8, 8, 8 },
	[IPC_bool] = { sizeof(bool), _Alignof(bool), 1 },
	[IPC_str] = { sizeof(struct str), _Alignof(struct str), 0 },
	[IPC_strs] = { sizeof(struct strs), _Alignof(struct strs), 0 },
	[IPC_fd] = { sizeof(int), _Alignof(int), 1 },
};

/* The place of the next field; *at is where the one before it ended. */
static size_t place(size_t *at, enum ipc_kind kind)
{
	size_t begin = (*at + kinds[kind].align - 1) / kinds[kind].align * kinds[kind].align;

	*at = begin + kinds[kind].size;
	return begin;
}

static bool put_field(const struct ipc_field *f, const void *at, struct buf *out, int fds[], size_t *n_fds)
{
	const struct str *s = at;
	const struct strs *list = at;

	switch (f->kind) {
	case IPC_str: return s->n <= UINT32_MAX && put_u32(out, (uint32_t)s->n) && buf_add(out, *s);
	case IPC_strs:
		return list->raw.n <= UINT32_MAX && put_u32(out, list->n) && put_u32(out, (uint32_t)list->raw.n) &&
		       buf_add(out, list->raw);
	case IPC_fd: {
		int fd = *(const int *)at;
		if (fd >= 0 && *n_fds >= IPC_FDS_MAX)
			return false;
		if (fd >= 0)
			fds[(*n_fds)++] = fd;
		return buf_addc(out, fd >= 0);
	}
	default: return put_bytes(out, at, kinds[f->kind].fixed);
	}
}

bool ipc_encode(const struct ipc_schema *schema, const void *message, struct buf *out, int fds[IPC_FDS_MAX], size_t *n_fds)
{
	size_t at = 0;

	for (size_t i = 0; i < schema->n; i++) {
		const struct ipc_field *f = &schema->fields[i];
		if (!put_field(f, (const char *)message + place(&at, f->kind), out, fds, n_fds))
			return false;
	}
	return true;
}

static bool take(struct str *in, size_t n, struct str *out)
{
	if (in->n < n)
		return false;
	*out = str_head(*in, n);
	*in = str_skip(*in, n);
	return true;
}

static bool take_u32(struct str *in, uint32_t *v)
{
	struct str raw;

	if (!take(in, sizeof(*v), &raw))
		return false;
	memcpy(v, raw.p, sizeof(*v));
	return true;
}

/* Checks once, here, that the list is well formed, so that strs_next need not fail. */
static bool take_strs(struct str *in, struct strs *list)
{
	uint32_t bytes, n;

	if (!take_u32(in, &list->n) || !take_u32(in, &bytes) || !take(in, bytes, &list->raw))
		return false;
	struct str rest = list->raw, s;
	for (uint32_t i = 0; i < list->n; i++)
		if (!take_u32(&rest, &n) || !take(&rest, n, &s))
			return false;
	return rest.n == 0;
}

static bool get_field(const struct ipc_field *f, struct str *in, const int fds[], size_t n_fds, size_t *used, void *at)
{
	struct str raw;
	uint32_t n;

	switch (f->kind) {
	case IPC_str: return take_u32(in, &n) && take(in, n, at);
	case IPC_strs: return take_strs(in, at);
	case IPC_bool:
		if (!take(in, 1, &raw) || (uint8_t)raw.p[0] > 1)
			return false;
		*(bool *)at = raw.p[0] != 0;
		return true;
	case IPC_fd:
		if (!take(in, 1, &raw) || (uint8_t)raw.p[0] > 1 || (raw.p[0] && *used >= n_fds))
			return false;
		*(int *)at = raw.p[0] ? fds[(*used)++] : -1;
		return true;
	default:
		if (!take(in, kinds[f->kind].fixed, &raw))
			return false;
		memcpy(at, raw.p, raw.n);
		return true;
	}
}

bool ipc_decode(const struct ipc_schema *schema, struct str in, int fds[], size_t n_fds, void *message)
{
	size_t used = 0, at = 0;

	memset(message, 0, schema->size);
	for (size_t i = 0; i < schema->n; i++) {
		const struct ipc_field *f = &schema->fields[i];
		if (!get_field(f, &in, fds, n_fds, &used, (char *)message + place(&at, f->kind)))
			return false;
	}
	if (in.n != 0 || used != n_fds)
		return false;
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = -1;
	return true;
}

static void trace_text(struct buf *out, struct str s)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < s.n && i < 60; i++)
		if (s.p[i] >= ' ' && s.p[i] < 127 && s.p[i] != '\'')
			buf_addc(out, s.p[i]);
		else
			buf_addf(out, "\\x%02x", (uint8_t)s.p[i]);
	buf_add(out, s.n > 60 ? STR("...'") : STR("'"));
}

static void trace_field(const struct ipc_field *f, const void *at, struct buf *out)
{
	uint64_t v = 0;

	buf_addf(out, " %s=", f->name);
	if (f->kind == IPC_str)
		trace_text(out, *(const struct str *)at);
	else if (f->kind == IPC_strs)
		buf_addf(out, "[%u]", ((const struct strs *)at)->n);
	else if (f->kind == IPC_fd)
		buf_add(out, *(const int *)at >= 0 ? STR("fd") : STR("none"));
	else if (memcpy(&v, at, kinds[f->kind].fixed), f->kind == IPC_i64)
		buf_addf(out, "%lld", (long long)v);
	else
		buf_addf(out, "%llu", (unsigned long long)v);
}

void ipc_trace(const struct ipc_schema *schema, const void *message, struct buf *out)
{
	size_t at = 0;

	buf_add(out, str_from(schema->name));
	for (size_t i = 0; i < schema->n; i++)
		trace_field(&schema->fields[i], (const char *)message + place(&at, schema->fields[i].kind), out);
}

void ipc_close_fds(const struct ipc_schema *schema, void *message)
{
	size_t at = 0;

	for (size_t i = 0; i < schema->n; i++) {
		size_t begin = place(&at, schema->fields[i].kind);
		if (schema->fields[i].kind == IPC_fd)
			fd_close((int *)(void *)((char *)message + begin));
	}
}

bool strs_add(struct buf *b, struct strs *list, struct str s)
{
	size_t before = b->n;

	if (s.n > UINT32_MAX || !put_u32(b, (uint32_t)s.n) || !buf_add(b, s)) {
		b->n = before;
		return false;
	}
	list->n++;
	list->raw = buf_str(b);
	return true;
}

bool strs_next(const struct strs *list, size_t *at, struct str *s)
{
	struct str rest = str_skip(list->raw, *at);
	uint32_t n;

	if (!take_u32(&rest, &n) || !take(&rest, n, s))
		return false;
	*at += sizeof(n) + n;
	return true;
}
