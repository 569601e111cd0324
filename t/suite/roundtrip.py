#!/usr/bin/env python3
"""Every message comes out as it went in: by SMTP, submission and LMTP in, by POP3 and as a Maildir
out; by APPEND in and FETCH out, whole, in pieces and by parts."""
import base64
import collections
import glob
import mailbox
import os
import pty
import random
import re
import tempfile

import suite
from imapwire import Imap
from suite import Instance, Skip, Wire, need, stuff

SUITES = os.environ.get("TAYORI_SUITES")
DATE = rb"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}(?: \(\w+\))?\r\n"
TRACE = re.compile(rb"Return-Path: <[^\r\n]*>\r\n(?:X-Original-To: [^\r\n]*\r\n)?Delivered-To: [^\r\n]*\r\n"
                   rb"Received: (?:[^\r\n]*\r\n[ \t])*?[^\r\n]*; " + DATE)
ADDED = re.compile(rb"(Date: " + DATE + rb")?(Message-ID: <[^\r\n]*>\r\n)?(From: <[^\r\n]*>\r\n)?")
HEAD = b"From: a@remote.test\r\nTo: bob@example.test\r\nDate: Mon, 1 Jan 2024 10:00:00 +0900\r\nMessage-ID: <%s@remote.test>\r\nSubject: %s\r\n"


def letter(name, body, more=b""):
    return HEAD % (name.encode(), name.encode()) + more + b"\r\n" + body


def text(charset):
    words = "お便りありがとうございます。\r\n\r\n" + ("髙橋さんは①番です。\r\n" if charset in ("utf_8", "shift_jis") else "")
    return words.encode("cp932" if charset == "shift_jis" else charset)


def generated():
    rnd = random.Random(4711)
    eight = bytes(c for c in range(1, 256) if c not in (10, 13))
    base = len(letter("limit", b""))
    yield "eight-bit", letter("eight-bit", eight + b"\r\n")
    yield "eight-bit-header", b"X-\xe9: \xff\xfe\r\n" + letter("8h", b"x\r\n", "X-N: 便り\r\n".encode())
    yield "octets-998", letter("octets-998", (b"x" * 998 + b"\r\n") * 3 + b"y" * 999 + b"\r\n" + b"z" * 1000 + b"\r\n")
    yield "line-20000", letter("line-20000", b"l" * 20000 + b"\r\n" + b"." * 20000 + b"\r\n")
    yield "dots", letter("dots", b".\r\n..\r\n...\r\n. \r\n.x\r\n..x\r\nx.\r\n\r\n.\r\n\r\n..\r\n" + b"." * 4096 + b"\r\n.\r\n")
    yield "dot-first", b".\r\n.\r\nno header\r\n"
    yield "dot-header", b".X: y\r\nSubject: z\r\n\r\n.\r\n"
    for n in range(8180, 8200):
        yield f"dot-at-{n}", letter("d", b"x" * n + b"\r\n.\r\n..\r\nend\r\n")
    yield "empty-body", letter("empty-body", b"")
    yield "header-only", b"From: a@remote.test\r\nDate: Mon, 1 Jan 2024 10:00:00 +0900\r\nMessage-ID: <h@r>\r\nSubject: header only\r\n"
    yield "no-header", b"This is no header at all\r\nnor is this\r\n"
    yield "empty-line-first", b"\r\nbody: one\r\n"
    yield "nothing", b""
    yield "one-empty-line", b"\r\n"
    yield "blank-first", b" continues nothing\r\nSubject: x\r\n\r\nbody\r\n"
    yield "folded", letter("folded", b"x\r\n", b"X-Long: a\r\n\tb\r\n " + b"c" * 900 + b"\r\n \r\n")
    yield "mbox", letter("mbox", b"\r\nFrom someone Mon Jan  1 10:00:00 2024\r\n>From the other\r\n")
    yield "blanks", letter("blanks", b"trailing  \r\n\t\r\n \r\n\r\n\r\n\r\n")
    yield "lone-controls", letter("lone-controls", b"\x01\x08\x0b\x0c\x1a\x1b[31m\x7f\r\n")
    for charset, encoding in ("iso2022_jp", b"7bit"), ("utf_8", b"8bit"), ("shift_jis", b"8bit"), ("euc_jp", b"8bit"):
        name = charset.replace("_", "-")
        subject = "=?%s?B?%s?=" % (name, base64.b64encode("便り".encode(charset)).decode())
        yield name, letter(name, text(charset), b"X-Subject: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n"
                           % (subject.encode(), name.encode(), encoding))
    # around what goes to the queue in the commit, and what goes by a spool file
    for n in [65536 + d for d in (-4097, -4096, -700, -300, -3, -2, -1, 0, 1, 2, 3, 300)] + [131072, 200001]:
        lines = (b"q" * 70 + b"\r\n") * (n // 72 + 1)
        yield f"size-{n}", letter("limit", lines[:n - base - 2] + b"\r\n")
    lines = b".\r\n" * 30000
    yield "dots-90000", letter("dots-90000", lines)
    yield "empty-lines-70000", letter("empty-lines", b"\r\n" * 70000)
    yield "big-header", letter("big-header", b"x\r\n", b"".join(b"X-%d: %s\r\n" % (i, b"v" * 60) for i in range(2000)))
    part = base64.encodebytes(rnd.randbytes(30 << 20)).replace(b"\n", b"\r\n")
    yield "attachment", letter("attachment", b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                               + part + b"--b--\r\n", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n")


def yaml_messages(path):
    """The block scalars named `message` of a YAML file of tests."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    i = 0
    while i < len(lines):
        m = re.match(r"( *)message: +[|>]", lines[i])
        i += 1
        if not m:
            continue
        block = []
        while i < len(lines) and (not lines[i].strip() or len(lines[i]) - len(lines[i].lstrip()) > len(m[1])):
            block.append(lines[i])
            i += 1
        indent = min((len(x) - len(x.lstrip()) for x in block if x.strip()), default=0)
        yield "\n".join(x[indent:] for x in block).rstrip("\n").encode() + b"\n"


def collected():
    """(name, message) of the test suites, with CRLF; those that SMTP cannot carry have None."""
    for path in sorted(glob.glob(SUITES + "/**/*", recursive=True)):
        kind = path.rsplit("/", 1)[1]
        if os.path.isdir(path) or not (path.endswith(".eml") or "/maildir/" in path or re.search(r"/(dkim|arc)/\d+\.txt$", path)
                                       or path.endswith("arc-draft-validation-tests.yml")):
            continue
        name = os.path.relpath(path, SUITES)
        if path.endswith(".yml"):
            texts = list(yaml_messages(path))
        else:
            with open(path, "rb") as f:
                texts = [f.read()]
        for i, raw in enumerate(texts):
            raw = raw.replace(b"\r\n", b"\n")
            if raw and not raw.endswith(b"\n"):
                raw += b"\n"
            carried = b"\0" not in raw and b"\r" not in raw
            yield f"{name}#{i}" if len(texts) > 1 else name, raw.replace(b"\n", b"\r\n") if carried else None


class Mail:
    """A session that sends many messages."""
    def __init__(self, t, way):
        self.t, self.way = t, way
        port = dict(mx=t.smtp, submission=t.submission, lmtp=t.lmtp)[way]
        self.wire = Wire(port, timeout=120)
        assert self.wire.reply()[0] == 220
        self.hello()
        if way == "submission":
            assert self.wire.cmd("STARTTLS")[0] == 220
            self.wire.start_tls(t.context())
            self.hello()
            assert self.wire.cmd("AUTH PLAIN " + base64.b64encode(b"\0alice\0tayori").decode())[0] == 235

    def hello(self):
        assert self.wire.cmd("LHLO client.test" if self.way == "lmtp" else "EHLO client.test")[0] == 250

    def send(self, message, to=("bob@example.test",)):
        w = self.wire
        w.send(b"MAIL FROM:<alice@example.test> BODY=8BITMIME\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % r.encode() for r in to) + b"DATA\r\n")
        replies = [w.reply()[0] for _ in range(len(to) + 2)]
        assert replies == [250] * (len(to) + 1) + [354], replies
        w.send(stuff(message))
        for _ in to if self.way == "lmtp" else (1,):
            code, told = w.reply()
            assert code == 250, (code, told)

    def close(self):
        self.wire.cmd("QUIT")
        self.wire.sock.close()


def without_trace(got, way):
    """What was sent, and which fields submission added."""
    mine = TRACE.match(got)
    assert mine, got[:600]
    rest = got[mine.end():]
    added = ADDED.match(rest) if way == "submission" else None
    return rest, added.groups() if added else (None,) * 3


def has_field(message, name):
    header = message.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    return re.search(rb"(?im)^" + name + rb"[ \t]*:", header) is not None


def check_all(messages, way):
    """Sends all, fetches all; each must come out once."""
    with Instance() as t:
        m = Mail(t, way)
        for _, message in messages:
            m.send(message)
        m.close()
        got = t.fetch("bob", wait=len(messages), seconds=50)
        check_maildir(t, len(messages), way)
    missing = collections.Counter(message for _, message in messages)
    names = {message: name for name, message in messages}
    for g in got:
        rest, added = without_trace(g, way)
        prefix = b""
        for field in (b"",) + tuple(a or b"" for a in added):
            prefix += field
            if missing[rest[len(prefix):]]:
                break
        message = rest[len(prefix):]
        assert missing[message], (way, rest[:800])
        missing[message] -= 1
        if way == "submission" and names[message] not in ("blank-first", "big-header"):
            for field, name in zip((b"Date", b"Message-ID", b"From"), ("date", "message-id", "from")):
                there, put = has_field(message, field), field + b": " in prefix
                if re.match(rb"[!-9;-~]+[ \t]*:", message):
                    assert there != put, (names[message], name, prefix)
    left = [names[m] for m, n in missing.items() if n]
    assert not left, (way, left)


def maildir_of(t, user="bob"):
    for root, folders, _ in os.walk(f"{t.dir}/mail"):
        if "cur" in folders and "new" in folders and user in root:
            return root
    raise AssertionError("no maildir of " + user)


def check_maildir(t, n, way):
    """What POP3 has deleted is gone from the folder too; and each file that is left is whole."""
    folder = maildir_of(t)
    left = sum(len(os.listdir(f"{folder}/{sub}")) for sub in ("new", "cur", "tmp"))
    assert left == 0, (way, n, left)


def all_by(way):
    check_all(list(generated()), way)


def leaves(structure, section=""):
    """Sections of all parts that hold no others, and how many octets they are said to have; in the order of the message."""
    if not isinstance(structure[0], list):
        return [(section or "1", int(structure[6]))]
    found = []
    for i, part in enumerate(structure):
        if not isinstance(part, list):
            break
        found += leaves(part, f"{section}.{i + 1}" if section else str(i + 1))
    return found


def check_parts(c, uid, name, message, structure):
    """Each part stands in the message as it is told, one behind the other."""
    multipart = isinstance(structure[0], list)
    at = 0
    for section, octets in leaves(structure)[:40]:
        got = c.ok(f"UID FETCH {uid} (BODY.PEEK[{section}.MIME] BODY.PEEK[{section}])").fetched()[0][1]
        head, body = got[f"BODY[{section}.MIME]"] or b"", got[f"BODY[{section}]"] or b""
        assert len(body) == octets, (name, section, len(body), octets)
        at = message.find((head if multipart else b"") + body, at)
        assert at >= 0, (name, section, head[:200], body[:200])
        at += len(head if multipart else b"") + len(body)


def check_imap(messages):
    with Instance() as t, Imap(t.imaps, t.context(), timeout=120) as c:
        uids = [c.append("INBOX", message) for _, message in messages]
        c.select("INBOX")
        for uid, (name, message) in zip(uids, messages):
            got = c.ok(f"UID FETCH {uid} (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.SIZE BODYSTRUCTURE)").fetched()[0][1]
            assert (got["BODY[]"] or b"") == message, name
            assert (got["BODY[HEADER]"] or b"") + (got["BODY[TEXT]"] or b"") == message, name
            assert int(got["RFC822.SIZE"]) == len(message), name
            check_parts(c, uid, name, message, got["BODYSTRUCTURE"])
            for first in range(0, min(len(message), 300000), 65536):
                piece = c.ok(f"UID FETCH {uid} BODY.PEEK[]<{first}.65536>").fetched()[0][1][f"BODY[]<{first}>"]
                assert piece == message[first:first + 65536], (name, first)


def test_generated_imap():
    check_imap([(name, message) for name, message in generated() if message])


def test_collected_imap():
    if not SUITES:
        raise Skip("TAYORI_SUITES is not set")
    check_imap([(name, message) for name, message in collected() if message])


def test_generated_mx():
    all_by("mx")


def test_generated_submission():
    all_by("submission")


def test_generated_lmtp():
    all_by("lmtp")


def test_collected():
    if not SUITES:
        raise Skip("TAYORI_SUITES is not set")
    everything = list(collected())
    carried = [(name, message) for name, message in everything if message is not None]
    print(f"  {len(everything)} messages, {len(everything) - len(carried)} of them not sent: NUL or a bare CR in them")
    assert len(carried) > 100, len(carried)
    for way in "mx", "submission", "lmtp":
        check_all(carried, way)


def test_many_recipients():
    """1,000 addresses that mean two users: each gets it once."""
    to = [f"list{i}@example.test" for i in range(1000)]
    table = "".join(f"{a} {'alice' if i % 2 else 'bob'}@example.test\n" for i, a in enumerate(to))
    message = letter("many", b"to all\r\n")
    with Instance(virtual=table) as t:
        m = Mail(t, "mx")
        m.send(message, to)
        m.close()
        for user in "alice", "bob":
            got = t.fetch(user, wait=1)
            assert [without_trace(g, "mx")[0] for g in got] == [message], (user, len(got))
        t.wait_log("removed")
        assert t.fetch("alice") == [] and t.fetch("bob") == []
        # LMTP answers for each
        m = Mail(t, "lmtp")
        m.send(message, to[:200])
        m.close()
        assert len(t.fetch("alice", wait=1)) == 1


def mutt_count(folder):
    """The octets of each message that mutt sees."""
    with tempfile.TemporaryDirectory() as home:
        with open(home + "/muttrc", "w") as f:
            f.write(f"set folder={folder} spoolfile={folder} pipe_split pipe_decode=no wait_key=no quit=yes\n"
                    f"push '<tag-pattern>~A<enter><tag-prefix><pipe-message>wc -c >>{home}/counted<enter><exit>'\n")
        pid, tty = pty.fork()
        if pid == 0:
            os.execvpe("mutt", ["mutt", "-n", "-R", "-F", home + "/muttrc", "-f", folder], dict(os.environ, TERM="vt100", HOME=home))
        try:
            while os.read(tty, 65536):
                pass
        except OSError:
            pass
        os.waitpid(pid, 0)
        with open(home + "/counted") as f:
            return [int(x) for x in f.read().split()]


def test_maildir():
    """The mailbox is a Maildir that others read: Python's mailbox and mutt."""
    need("mutt")
    messages = [(n, m) for n, m in generated() if len(m) < 300000]
    with Instance() as t:
        m = Mail(t, "mx")
        for _, message in messages:
            m.send(message)
        m.close()
        got = t.fetch("bob", wait=len(messages), delete=False)
        folder = maildir_of(t)
        box = mailbox.Maildir(folder, create=False)
        files = sorted(box.get_bytes(key) for key in box.keys())
        assert files == sorted(g.replace(b"\r\n", b"\n") for g in got)
        before = sorted(os.listdir(folder + "/new") + os.listdir(folder + "/cur"))
        assert len(mutt_count(folder)) == len(messages)
        assert sorted(os.listdir(folder + "/new") + os.listdir(folder + "/cur")) == before
        assert len(t.fetch("bob")) == len(messages)


if __name__ == "__main__":
    suite.main()
