#include "unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/utf8.h"
#include "mail/text.h"

#define FFFD "\xef\xbf\xbd"

static const struct {
	struct str charset, in, out;
} charsets[] = {
	/* what is none */
	{ STR(""), STR("a\xe4"), STR("a" FFFD) },
	{ STR("x-unknown"), STR("a\xe4\xc3\xa4"), STR("a" FFFD FFFD FFFD) },
	{ STR("../../../tmp/x"), STR("a\xe4"), STR("a" FFFD) },
	{ STR("utf-8//TRANSLIT"), STR("\xc3\xa4"), STR(FFFD FFFD) },
	{ STR("utf-8"),
	  STR("a\xff\x80\xc3"
	      "b\xc0\xaf\xed\xa0\x80\xf0\x9f\x98"),
	  STR("a" FFFD FFFD FFFD "b" FFFD FFFD FFFD FFFD) },
	{ STR("windows-1255"),
	  STR("a\xff"
	      "b"),
	  STR("a" FFFD "b") },
	{ STR("iso-8859-3"), STR("\xa5\xa1"), STR(FFFD "\xc4\xa6") },
	{ STR("gb18030"), STR("\x81"), STR(FFFD) },
	{ STR("shift_jis"),
	  STR("\xff"
	      "a\x93\xfa\x93"),
	  STR(FFFD "a\xe6\x97\xa5" FFFD) },
	{ STR("iso-2022-jp"), STR("\x1b$BF|K\na\x1b$A11\x1b(B\x1b$"), STR("\xe6\x97\xa5" FFFD "\na" FFFD FFFD) },
	{ STR("utf-16"), STR("\0"), STR(FFFD) },
	{ STR("utf-16be"), STR("\xd8\0\0a\xd8"), STR(FFFD "a" FFFD) },
	{ STR("utf-7"),
	  STR("a\xe4"
	      "b"),
	  STR("a" FFFD "b") },
	/* without a declaration */
	{ STR("us-ascii"), STR("\xc3\xa4"), STR("\xc3\xa4") },
	{ STR("US-ASCII"), STR("\xe4"), STR("\xc3\xa4") },
	/* Western and others */
	{ STR(" ISO-8859-1 "), STR("\xe4\x80"), STR("\xc3\xa4\xe2\x82\xac") },
	{ STR("Windows-1252"), STR("\x84\xdf\x93"), STR("\xe2\x80\x9e\xc3\x9f\xe2\x80\x9c") },
	{ STR("iso-8859-15"), STR("\xa4"), STR("\xe2\x82\xac") },
	{ STR("iso-8859-2"), STR("\xb1"), STR("\xc4\x85") },
	{ STR("iso-8859-9"), STR("\xfd"), STR("\xc4\xb1") },
	{ STR("iso-8859-7"), STR("\xe1"), STR("\xce\xb1") },
	{ STR("iso-8859-8-i"), STR("\xe0"), STR("\xd7\x90") },
	{ STR("windows-1255"), STR("\xe0"), STR("\xd7\x90") },
	{ STR("tis-620"), STR("\xa1"), STR("\xe0\xb8\x81") },
	{ STR("KOI8-R"), STR("\xf0\xd2"), STR("\xd0\x9f\xd1\x80") },
	{ STR("windows-1251"), STR("\xcf\xf0"), STR("\xd0\x9f\xd1\x80") },
	/* Chinese, Japanese, Korean */
	{ STR("gb2312"), STR("\xc4\xe3\xba\xc3"), STR("\xe4\xbd\xa0\xe5\xa5\xbd") },
	{ STR("gb18030"), STR("\x81\x30\x81\x30"), STR("\xc2\x80") },
	{ STR("hz-gb-2312"), STR("a~~~{<:\n~{D\n~{<:~}~\nb"),
	  STR("a~\xe5\xb7\xb1\n" FFFD "\n\xe5\xb7\xb1"
	      "b") },
	{ STR("big5"), STR("\xa7\x41\xa6\x6e"), STR("\xe4\xbd\xa0\xe5\xa5\xbd") },
	{ STR("big5-hkscs"), STR("\xa7\x41\x88\x66"), STR("\xe4\xbd\xa0\xc3\x8a") },
	{ STR("euc-kr"), STR("\xc7\xd1\xb1\xdb"), STR("\xed\x95\x9c\xea\xb8\x80") },
	{ STR("ks_c_5601-1987"), STR("\x8c\x63"), STR("\xeb\x98\xa0") },
	{ STR("iso-2022-kr"), STR("\x1b$)C\n\x0eGQ1[\x0f a"), STR("\n\xed\x95\x9c\xea\xb8\x80 a") },
	{ STR("shift_jis"), STR("\x93\xfa\x96{\x87\x40\xb1"), STR("\xe6\x97\xa5\xe6\x9c\xac\xe2\x91\xa0\xef\xbd\xb1") },
	{ STR("euc-jp"), STR("\xc6\xfc\xcb\xdc\xad\xa1\x8e\xb1"),
	  STR("\xe6\x97\xa5\xe6\x9c\xac\xe2\x91\xa0\xef\xbd\xb1") },
	{ STR("iso-2022-jp"), STR("\x1b$BF|K\\-!\x1b(J-\x1b(I1\x1b(Ba"),
	  STR("\xe6\x97\xa5\xe6\x9c\xac\xe2\x91\xa0-\xef\xbd\xb1"
	      "a") },
	{ STR("iso-2022-jp-1"), STR("\x1b$(D0!\x1b$@F|\x1b(B"), STR("\xe4\xb8\x82\xe6\x97\xa5") },
	/* Unicode */
	{ STR("utf-7"), STR("a+AOQ-b+-"),
	  STR("a\xc3\xa4"
	      "b+") },
	{ STR("utf-16"), STR("\xff\xfe\xe4\0"), STR("\xc3\xa4") },
	{ STR("utf-16"), STR("\xfe\xff\0\xe4"), STR("\xc3\xa4") },
	{ STR("utf-16"), STR("\0\xe4"), STR("\xc3\xa4") },
	{ STR("utf-16le"), STR("\x3d\xd8\0\xde"), STR("\xf0\x9f\x98\x80") },
	{ STR("utf-32"), STR("\xff\xfe\0\0\xe4\0\0\0"), STR("\xc3\xa4") },
};

START_TEST(charset_cases)
{
	scoped_buf struct buf out = { 0 };

	text_to_utf8(charsets[_i].charset, charsets[_i].in, &out);
	ck_assert_str_is(buf_str(&out), charsets[_i].out);
}
END_TEST

START_TEST(charset_names)
{
	ck_assert(text_charset_ok(STR("UTF-8")) && text_charset_ok(STR("us-ascii")) &&
		  text_charset_ok(STR("ISO-2022-JP")));
	ck_assert(!text_charset_ok(STR("")) && !text_charset_ok(STR("utf")) && !text_charset_ok(STR("utf-8 utf8")));
	ck_assert(!text_charset_ok(STR("ISO-2022-CN-EXT")) && !text_charset_ok(STR("UTF-8\0")));
}
END_TEST

/* Opening a file ends the process from here on. */
static bool install_fence(void)
{
	static const unsigned denied[] = {
#ifdef SYS_open
		SYS_open,
#endif
		SYS_openat,
		SYS_openat2,
	};
	struct sock_filter code[2 * COUNT(denied) + 2] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
								    offsetof(struct seccomp_data, nr)) };
	unsigned short n = 1;

	for (size_t i = 0; i < COUNT(denied); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = n, .filter = code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Exits 0 when everything decodes, 1 when not, 77 without seccomp. */
static void decode_fenced(void)
{
	scoped_buf struct buf out = { 0 };

	if (!install_fence())
		_exit(77);
	for (size_t i = 0; i < COUNT(charsets); i++) {
		buf_reset(&out);
		text_to_utf8(charsets[i].charset, charsets[i].in, &out);
		if (!str_eq(buf_str(&out), charsets[i].out))
			_exit(1);
	}
	buf_reset(&out);
	text_fold(STR("\xc3\x84\xef\xbc\xa1\xed\x95\x9c"), &out);
	_exit(out.n > 0 && !text_charset_ok(STR("EBCDIC-AT-DE")) ? 0 : 1);
}

START_TEST(behind_fence)
{
	int status;

	text_preload();
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		decode_fenced();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}
END_TEST

static const struct {
	struct str in, out;
} headers[] = {
	/* no encoded words */
	{ STR(""), STR("") },
	{ STR(" a\n b \n"), STR("a b") },
	{ STR("=?"), STR("=?") },
	{ STR("=?=?utf-8?"), STR("=?=?utf-8?") },
	{ STR("=?utf-8?q?a"), STR("=?utf-8?q?a") },
	{ STR("=?utf-8?x?a?="), STR("=?utf-8?x?a?=") },
	{ STR("=??q?a?="), STR("=??q?a?=") },
	{ STR("=?utf-8?qa?="), STR("=?utf-8?qa?=") },
	{ STR("=?ut f?q?a?="), STR("=?ut f?q?a?=") },
	{ STR("\xc3\xa4 \xe4"), STR("\xc3\x83\xc2\xa4 \xc3\xa4") },
	{ STR("\xc3\xa4"), STR("\xc3\xa4") },
	/* bad ones */
	{ STR("=?x-unknown?q?a=E4?="), STR("a" FFFD) },
	{ STR("=?utf-8?q?=4?= =?utf-8?b?!?="), STR("=4") },
	{ STR("=?utf-8?q?=E4=0A=0D=00b?="), STR(FFFD "   b") },
	{ STR("=?utf-8?q?a?b c\xe4?="), STR("a?b c" FFFD) },
	{ STR("=?utf-8?q?"
	      "?="),
	  STR("") },
	/* RFC 2047, 8 and others */
	{ STR("(=?ISO-8859-1?Q?a?=)"), STR("(a)") },
	{ STR("(=?ISO-8859-1?Q?a?= b)"), STR("(a b)") },
	{ STR("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)"), STR("(ab)") },
	{ STR("(=?ISO-8859-1?Q?a?=  \n\t =?ISO-8859-1?Q?b?=)"), STR("(ab)") },
	{ STR("(=?ISO-8859-1?Q?a_b?=)"), STR("(a b)") },
	{ STR("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)"), STR("(a b)") },
	{ STR("=?ISO-8859-1*de-AT?q?=e4?="), STR("\xc3\xa4") },
	{ STR("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n "
	      "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="),
	  STR("If you can read this you understand the example.") },
	{ STR("x=?utf-8?b?w6Q=?=y\xc3\xa4"), STR("x\xc3\xa4y\xc3\xa4") },
	{ STR("=?utf-8?q?a=c3?= =?UTF-8?B?pA==?="), STR("a\xc3\xa4") },
	{ STR("=?utf-8?q?=c3?= x =?utf-8?q?=a4?="), STR(FFFD " x " FFFD) },
	{ STR("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?="),
	  STR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e") },
};

START_TEST(header_cases)
{
	scoped_buf struct buf out = { 0 };

	text_header(headers[_i].in, &out);
	ck_assert_str_is(buf_str(&out), headers[_i].out);
}
END_TEST

static const struct {
	struct str a, b; /* the same when folded */
} folds[] = {
	{ STR("\xff"), STR(FFFD) },
	{ STR(" \t\r\n\v\f"), STR(" ") },
	{ STR("A  b\n\tC"), STR("a B c") },
	{ STR("\xc3\x84"), STR("a\xcc\x88") },
	{ STR("STRASSE"), STR("stra\xc3\x9f"
			      "e") },
	{ STR("\xef\xbc\xa1\xef\xbc\x91"), STR("a1") },
	{ STR("\xef\xbd\xb6\xef\xbe\x9e"), STR("\xe3\x82\xac") },
	{ STR("a\xe3\x80\x80\xc2\xa0 b"), STR("A b") },
	{ STR("\xe2\x84\xa2"), STR("tm") },
	{ STR("\xce\xa3\xcf\x82"), STR("\xcf\x83\xcf\x83") },
	{ STR("\xed\x95\x9c"), STR("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab") },
	{ STR("a\xcc\xa3\xcc\x88"), STR("A\xcc\x88\xcc\xa3") },
};

START_TEST(fold_cases)
{
	scoped_buf struct buf a = { 0 }, b = { 0 };

	text_fold(folds[_i].a, &a);
	text_fold(folds[_i].b, &b);
	ck_assert_str_is(buf_str(&a), buf_str(&b));
	ck_assert(utf8_valid(buf_str(&a)));
}
END_TEST

START_TEST(holds)
{
	ck_assert(text_holds(STR(""), STR("")) && text_holds(STR("a"), STR("")) &&
		  !text_holds((struct str){ 0 }, STR("a")));
	ck_assert(text_holds(STR("abc"), STR("bc")) && !text_holds(STR("abc"), STR("ac")));
}
END_TEST

static const struct str message = STR(
	"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\n"
	"Subject: a\n  folded subject\n"
	"Content-Type: multipart/mixed; boundary=b\n\npreamble\n"
	"--b\nContent-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdf"
	"e an\nalle\n"
	"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nw4RwZmVsIHVu\nZCBCaXJuZW4=\n"
	"--b\nContent-Type: text/plain; charset=iso-2022-jp\n"
	"Content-Description: =?utf-8?q?k=C3=A4se?=\n\n\x1b$BF|K\\8l\x1b(B\n"
	"--b\nContent-Type: application/pdf\n\nnot text\n"
	"--b\nContent-Type: message/rfc822\n\nSubject: inner subject\n"
	"Content-Transfer-Encoding: quoted-printable\n\nsoft=\nbreak =C3=A4\n--b--\nepilogue\n");

static const struct {
	struct str needle;
	bool in_text, in_body;
} searches[] = {
	{ STR("absent"), false, false },
	{ STR("preamble"), false, false },
	{ STR("epilogue"), false, false },
	{ STR("not text"), false, false },
	{ STR("subjectcontent"), false, false },
	{ STR(""), true, true },
	{ STR("j\xc3\xb6rg <joerg@"), true, false },
	{ STR("subject: A FOLDED  subject"), true, false },
	{ STR("multipart/mixed"), true, false },
	{ STR("gr\xc3\xbcsse AN alle"), true, true },
	{ STR("charset=iso-8859-1"), true, true },
	{ STR("\xc3\xa4pfel und birnen"), true, true },
	{ STR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"), true, true },
	{ STR("K\xc3\x84SE"), true, true },
	{ STR("inner subject"), true, true },
	{ STR("softbreak \xc3\xa4"), true, true },
	{ STR("application/pdf"), true, true },
};

START_TEST(search_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf needle = { 0 };
	const struct mime_part *root = mime_parse(message, &arena);

	text_fold(searches[_i].needle, &needle);
	ck_assert_int_eq(text_search(message, root, true, buf_str(&needle)), searches[_i].in_text);
	ck_assert_int_eq(text_search(message, root, false, buf_str(&needle)), searches[_i].in_body);
}
END_TEST

START_TEST(search_field)
{
	const struct str header = STR("To: a\nto: =?utf-8?q?=C3=84?= B\nCc:\n");

	ck_assert(!text_search_field(header, STR("Bcc"), STR("")));
	ck_assert(!text_search_field(header, STR("Cc"), STR("a")));
	ck_assert(!text_search_field(header, STR("To"), STR("to")));
	ck_assert(text_search_field(header, STR("Cc"), STR("")));
	ck_assert(text_search_field(header, STR("TO"), STR("a\xcc\x88 b")));
}
END_TEST

/* A body of many pieces, with the needle at every place around the ends of pieces. */
static void check_pieces(const char *type, struct str filler, struct str hidden, struct str needle)
{
	scoped_buf struct buf m = { 0 }, folded = { 0 };

	text_fold(needle, &folded);
	for (size_t shift = 0; shift < 24; shift++) {
		scoped_arena struct arena arena = { 0 };
		buf_reset(&m);
		buf_addf(&m, "Content-Type: text/plain; charset=%s\n\n", type);
		size_t start = m.n;
		while (m.n + filler.n + shift <= start + (1 << 16))
			buf_add(&m, filler);
		buf_add(&m, hidden);
		buf_add(&m, filler);
		ck_assert(text_search(buf_str(&m), mime_parse(buf_str(&m), &arena), false, buf_str(&folded)));
		m.n -= filler.n + hidden.n;
		ck_assert(!text_search(buf_str(&m), mime_parse(buf_str(&m), &arena), false, buf_str(&folded)));
	}
}

START_TEST(search_pieces)
{
	check_pieces("us-ascii", STR("x"), STR("needle in\nhay"), STR("needle in hay"));
	check_pieces("utf-8", STR("x"), STR("e\xcc\xa3\xcc\x88\xe6\x97\xa5"), STR("e\xcc\x88\xcc\xa3\xe6\x97\xa5"));
	check_pieces("utf-8", STR("\xc3\xa4"), STR("\xe6\x97\xa5\xe6\x9c\xac"), STR("\xe6\x97\xa5\xe6\x9c\xac"));
	check_pieces("shift_jis", STR("x"), STR("\x93\xfa\x96{\x8c\xea"), STR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"));
	check_pieces("iso-2022-jp", STR("x"), STR("\x1b$BF|K\\8l\x1b(B"), STR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"));
	check_pieces("utf-16be", STR("\0x"), STR("\xd8\x3d\xde\0\xd8\x3d\xde\x01"),
		     STR("\xf0\x9f\x98\x80\xf0\x9f\x98\x81"));
	check_pieces("gb18030", STR("\xc4\xe3"), STR("\xba\xc3\x81\x30\x81\x30"), STR("\xe5\xa5\xbd\xc2\x80"));
}
END_TEST

TEST_MAIN("text", tcase_add_loop_test(tc, charset_cases, 0, COUNT(charsets)); tcase_add_test(tc, charset_names);
	  tcase_add_test(tc, behind_fence); tcase_add_loop_test(tc, header_cases, 0, COUNT(headers));
	  tcase_add_loop_test(tc, fold_cases, 0, COUNT(folds)); tcase_add_test(tc, holds);
	  tcase_add_loop_test(tc, search_cases, 0, COUNT(searches)); tcase_add_test(tc, search_field);
	  tcase_add_test(tc, search_pieces);)
