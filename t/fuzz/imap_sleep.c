/*
 * A session that wakes: the state that a front hands back, which may be none that a session has written, and what its client sends
 * then.
 *
 * First octet: bits of HOW. RAW: two octets of length, the state as it is, the client's input. Else a state in order is built, with
 * runs of UIDs from the input: numbers of known and of recent runs, the modseq, two octets a run, the client's input.
 */
#include "fuzz/imap_home.h"
#include "ipc/messages.h"
#include "mbox/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how {
	RAW = 1,
	READONLY = 2,
	NOT_SELECTED = 4,
	IDLE = 8,
	OTHER_VALIDITY = 16,
	OTHER_FOLDER = 32,
	NO_ENABLE = 64,
	KEYWORDS = 128
};
enum { RUNS_MAX = 40, VALIDITY = 4000000001 };

struct input {
	const uint8_t *p;
	size_t n;
};

static uint8_t next(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static void add_runs(struct input *in, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n % RUNS_MAX; i++) {
		uint8_t from = next(in), length = next(in);
		/* 255: as far as it goes */
		struct mbox_uid_range run = { from, length == 255 ? UINT32_MAX : (uint32_t)from + length % 16 };
		buf_add(out, str_of(&run, sizeof(run)));
	}
}

static void build(struct input *in, unsigned how, struct buf *out)
{
	scoped_buf struct buf known = { 0 }, recent = { 0 };
	uint8_t n_known = next(in), n_recent = next(in), modseq = next(in);
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;

	add_runs(in, n_known, &known);
	add_runs(in, n_recent, &recent);
	struct session_state m = {
		.folder = how & OTHER_FOLDER ? STR("../other") : STR("INBOX"),
		.selected = !(how & NOT_SELECTED),
		.readonly = how & READONLY,
		.uidvalidity = how & OTHER_VALIDITY ? 7 : VALIDITY,
		.modseq = modseq == 255 ? UINT64_MAX : modseq,
		.enabled = how & NO_ENABLE ? 0 : UINT32_MAX,
		.keywords = how & KEYWORDS ? UINT32_MAX : 0,
		.idle_tag = how & IDLE ? STR("i1") : STR(""),
		.known = buf_str(&known),
		.recent = buf_str(&recent),
	};
	if (!ipc_encode(&session_state_schema, &m, out, fds, &n_fds))
		abort();
}

static void take_raw(struct input *in, struct buf *out)
{
	size_t n = next(in);

	n = n << 8 | next(in);
	n = n > in->n ? in->n : n;
	buf_add(out, str_of(in->p, n));
	in->p += n;
	in->n -= n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	scoped_buf struct buf state = { 0 };
	unsigned how = next(&in);

	if (how & RAW)
		take_raw(&in, &state);
	else
		build(&in, how, &state);
	size_t early = in.n > 0 ? in.p[0] % in.n : 0;
	struct session_start start = { .input = str_of(in.p, early), .state = buf_str(&state) };
	run_session(&start, str_of(in.p + early, in.n - early));
	return 0;
}
