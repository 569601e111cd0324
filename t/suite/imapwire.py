"""A small IMAP client that says exactly what it is told and takes answers apart: what the tests of IMAP share."""
import re
import socket


class Answer:
    """Of one command: status (OK, NO, BAD), its text, and the untagged lines, each a list of parsed values."""
    def __init__(self, status, text, untagged):
        self.status, self.text, self.untagged = status, text, untagged

    def __repr__(self):
        return f"{self.status} {self.text!r} {self.untagged!r}"

    def named(self, name):
        """The untagged answers of that name, without it: `* SEARCH 1 2` gives ['1', '2']."""
        return [u[1:] for u in self.untagged if u and isinstance(u[0], str) and u[0].upper() == name]

    def numbered(self, name):
        """Of `* N NAME ...`: pairs of N and what stands behind the name."""
        return [(int(u[0]), u[2:]) for u in self.untagged if len(u) > 1 and isinstance(u[0], str) and u[0].isdigit() and str(u[1]).upper() == name]

    def fetched(self):
        """Sequence number -> dict of items, of all FETCH answers in order."""
        return [(n, items(rest[0])) for n, rest in self.numbered("FETCH")]


def items(values):
    return {str(values[i]).upper(): values[i + 1] for i in range(0, len(values) - 1, 2)}


class Imap:
    def __init__(self, port, tls=None, user="bob", password="tayori", login=True, timeout=60, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buf = bytearray()
        self.n = 0
        self.greeting = self.response()
        if login:
            self.ok(f"LOGIN {user} {password}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def more(self):
        data = self.sock.recv(262144)
        if not data:
            raise ConnectionError(f"closed; left {self.buf[:200]!r}")
        self.buf += data

    def take(self, n):
        taken = bytes(self.buf[:n])
        del self.buf[:n]
        return taken

    def raw_line(self):
        """A line with its literals, as bytes: [text, literal, text, ...]."""
        parts = []
        while True:
            while (end := self.buf.find(b"\r\n")) < 0:
                self.more()
            line = self.take(end + 2)[:-2]
            parts.append(line)
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return parts
            n = int(m[1])
            while len(self.buf) < n:
                self.more()
            parts.append(self.take(n))

    def response(self):
        """One answer: (tag, values), the values parsed; after OK, NO, BAD, BYE and PREAUTH the rest is one text."""
        parts = self.raw_line()
        head = parts[0]
        tag, _, rest = head.partition(b" ")
        word = rest.split(b" ", 1)[0].upper()
        if tag == b"+" or word in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            return tag.decode(), [word.decode(), rest[len(word) + 1:].decode("utf-8", "replace")]
        parts[0] = rest
        return tag.decode(), Parser(parts).all()

    def begin(self, text):
        """Sends a command; text may be bytes, and a list of [text, literal, text ...] waits for each continuation."""
        self.n += 1
        tag = f"t{self.n}"
        parts = text if isinstance(text, list) else [text]
        parts = [p.encode() if isinstance(p, str) else p for p in parts]
        out = tag.encode() + b" " + parts[0]
        early = []
        for literal, after in zip(parts[1::2], parts[2::2] + [b""]):
            self.sock.sendall(out + b"{%d}\r\n" % len(literal))
            while True:
                got, values = self.response()
                if got == "+":
                    break
                if got == tag:
                    return tag, Answer(values[0], values[1], early)
                early.append(values)
            out = literal + after
        self.sock.sendall(out + b"\r\n")
        return tag, early

    def cmd(self, text):
        tag, early = self.begin(text)
        return early if isinstance(early, Answer) else self.wait(tag, early)

    def wait(self, tag, untagged=()):
        untagged = list(untagged)
        while True:
            got, values = self.response()
            if got == tag:
                return Answer(values[0], values[1], untagged)
            untagged.append(values)

    def ok(self, text):
        a = self.cmd(text)
        assert a.status == "OK", (text if len(text) < 300 else text[:300], a)
        return a

    def no(self, text, code=""):
        a = self.cmd(text)
        assert a.status == "NO" and code in a.text, (text, a)
        return a

    def bad(self, text):
        a = self.cmd(text)
        assert a.status == "BAD", (text, a)
        return a

    def append(self, folder, message, flags="", date=""):
        """The UID that APPENDUID tells."""
        head = f"APPEND {folder} " + (f"({flags}) " if flags else "") + (f'"{date}" ' if date else "")
        a = self.ok([head, message, b""])
        return int(re.search(r"\[APPENDUID \d+ (\d+)\]", a.text)[1])

    def uids(self):
        """UIDs by sequence number."""
        return [int(i["UID"]) for _, i in self.ok("FETCH 1:* UID").fetched()] if self.exists() else []

    def exists(self):
        return int(re.search(r"\d+", str(self.ok("STATUS " + self.folder + " (MESSAGES)").named("STATUS")[0][1][1]))[0])

    def select(self, folder, how="SELECT", more=""):
        self.folder = folder
        return self.ok(f"{how} {folder}{more}")


class Parser:
    """What stands in an answer: atoms as str, numbers too, quoted and literals as bytes, NIL as None, lists as lists."""
    ATOM = re.compile(rb'[^\s()"{]+')

    def __init__(self, parts):
        self.parts, self.part, self.at = parts, 0, 0

    def all(self):
        out = []
        while (value := self.value()) is not Parser:
            out.append(value)
        return out

    def value(self):
        """The next one; the class itself at the end, or at a closing parenthesis."""
        text = self.parts[self.part]
        while self.at < len(text) and text[self.at:self.at + 1] == b" ":
            self.at += 1
        if self.at >= len(text):
            return Parser
        c = text[self.at:self.at + 1]
        if c == b")":
            self.at += 1
            return Parser
        if c == b"(":
            self.at += 1
            return self.all()
        if c == b'"':
            m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(text, self.at)
            assert m, text[self.at:self.at + 80]
            self.at = m.end()
            return re.sub(rb"\\(.)", rb"\1", m[1])
        if c == b"{":
            literal = self.parts[self.part + 1]
            self.part += 2
            self.at = 0
            return literal
        return self.atom(text)

    def atom(self, text):
        m = Parser.ATOM.match(text, self.at)
        assert m, text[self.at:self.at + 80]
        self.at = m.end()
        word = m[0].decode("utf-8", "replace")
        while word.count("[") > word.count("]"):  # BODY[HEADER.FIELDS (DATE FROM)]<0>
            end = text.index(b"]", self.at) + 1
            tail = re.compile(rb"(<\d+>)?").match(text, end).end()
            word += text[self.at:tail].decode("utf-8", "replace")
            self.at = tail
        return None if word.upper() == "NIL" else word
