#!/usr/bin/env python3
"""POP3 command by command (RFC 1939, 2449, 2595, 5034): the right forms, the bad forms, the lock, UIDL for ever."""
import base64
import os
import socket
import ssl

import suite
from suite import Instance, until

ONE = b"Subject: one\r\n\r\nfirst\r\n.dot\r\nlast\r\n"
TWO = b"Subject: two\r\n\r\n" + b"line\r\n" * 50


class Raw:
    """A connection by lines."""
    def __init__(self, t, tls=True):
        self.s = socket.create_connection(("127.0.0.1", t.pop3s if tls else t.pop3), 20)
        if tls:
            self.s = t.context().wrap_socket(self.s, server_hostname="localhost")
        self.f = self.s.makefile("rb")
        self.hello = self.line()

    def line(self):
        line = self.f.readline()
        assert not line or line.endswith(b"\r\n"), line
        return line[:-2]

    def lines(self):
        """A multi-line answer's lines, stuffing undone."""
        out = []
        while (line := self.line()) != b".":
            assert line or out is not None
            out.append(line[1:] if line.startswith(b"..") else line)
        return out

    def say(self, text):
        self.s.sendall(text.encode() if isinstance(text, str) else text)
        return self.line()

    def ask(self, text):
        return self.say(text + "\r\n")

    def login(self, user="bob"):
        assert self.ask(f"USER {user}") == b"+OK"
        return self.ask("PASS tayori")

    def upgrade(self, t):
        self.s = t.context().wrap_socket(self.s, server_hostname="localhost")
        self.f = self.s.makefile("rb")


def fill(t):
    for message in (ONE, TWO):
        t.send("a@remote.test", ["bob@example.test"], message)
    new = f"{t.dir}/mail/example.test/bob/new"
    until(lambda: os.path.isdir(new) and len(os.listdir(new)) == 2)


def test_commands():
    with Instance() as t:
        fill(t)
        c = Raw(t)
        assert c.hello.startswith(b"+OK")
        assert c.ask("CAPA") == b"+OK"
        capa = c.lines()
        assert {b"TOP", b"UIDL", b"USER", b"SASL PLAIN LOGIN", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE"} <= set(capa) and b"STLS" not in capa
        for early in ("STAT", "LIST", "RETR 1", "NOOP"):
            assert c.ask(early).startswith(b"-ERR"), early
            c = Raw(t)
        assert c.ask("PASS tayori").startswith(b"-ERR")
        assert c.login().startswith(b"+OK")
        count, octets = map(int, c.ask("STAT").split()[1:])
        assert count == 2
        assert c.ask("LIST").startswith(b"+OK")
        sizes = [int(line.split()[1]) for line in c.lines()]
        assert sum(sizes) == octets
        for i, message in enumerate((ONE, TWO)):
            assert c.ask(f"RETR {i + 1}").startswith(b"+OK")
            got = b"".join(line + b"\r\n" for line in c.lines())
            assert len(got) == sizes[i] and got.endswith(message), got
        assert c.ask("TOP 2 3").startswith(b"+OK")
        top = c.lines()
        assert top[-4:] == [b"", b"line", b"line", b"line"], top
        assert c.ask("TOP 1 0").startswith(b"+OK") and c.lines()[-2:] == [b"Subject: one", b""]
        for bad in ("RETR", "RETR 0", "RETR 3", "RETR -1", "RETR 1x", "RETR 99999999999999999999", "TOP 1", "TOP 1 -1", "LIST 3", "UIDL 0", "DELE 9", "BOGUS", "", "RETR 1 2"):
            assert c.ask(bad).startswith(b"-ERR"), bad
        assert c.ask("LIST 2") == b"+OK 2 %d" % sizes[1]
        assert c.ask("DELE 1").startswith(b"+OK") and c.ask("DELE 1").startswith(b"-ERR") and c.ask("RETR 1").startswith(b"-ERR")
        assert c.ask("STAT") == b"+OK 1 %d" % sizes[1]
        assert c.ask("RSET").startswith(b"+OK") and c.ask("STAT") == b"+OK 2 %d" % octets
        assert c.ask("NOOP") == b"+OK" and c.ask("CAPA") == b"+OK"
        c.lines()
        assert c.ask("QUIT").startswith(b"+OK") and c.f.read() == b""


def test_deletion_happens_at_quit():
    with Instance() as t:
        fill(t)
        c = Raw(t)
        c.login()
        c.ask("DELE 1")
        c.s.close()  # no QUIT: nothing is deleted (RFC 1939, 6)
        c.f.close()

        def both():
            d = Raw(t)
            ok = d.login().startswith(b"+OK")
            return ok and d.ask("STAT").startswith(b"+OK 2 ") and d
        c = until(both)
        c.ask("DELE 1")
        assert c.ask("QUIT").startswith(b"+OK")
        c = Raw(t)
        c.login()
        assert c.ask("STAT").startswith(b"+OK 1 ")


def uidls(t):
    c = Raw(t)
    assert c.login().startswith(b"+OK")
    assert c.ask("UIDL").startswith(b"+OK")
    out = [line.split()[1] for line in c.lines()]
    assert c.ask("UIDL 1") == b"+OK 1 " + out[0]
    c.ask("QUIT")
    c.f.read()
    return out


def test_uidl_stays():
    with Instance() as t:
        fill(t)
        first = uidls(t)
        assert len(set(first)) == 2
        t.stop()
        t.quickstart()
        assert uidls(t) == first
        c = Raw(t)
        c.login()
        c.ask("DELE 1")
        c.ask("QUIT")
        c.f.read()
        t.send("a@remote.test", ["bob@example.test"], ONE)
        until(lambda: len(uidls(t)) == 2)
        after = uidls(t)
        assert after[0] == first[1] and after[1] not in first


def test_one_session_at_a_time():
    with Instance() as t:
        fill(t)
        a, b = Raw(t), Raw(t)
        assert a.login().startswith(b"+OK")
        assert b.login().startswith(b"-ERR [IN-USE]")
        t.send("a@remote.test", ["bob@example.test"], ONE)  # delivery goes on meanwhile
        new = f"{t.dir}/mail/example.test/bob/new"
        until(lambda: len(os.listdir(new)) == 1)
        assert a.ask("STAT").startswith(b"+OK 2 ")
        a.ask("QUIT")
        a.f.read()
        c = until(lambda: (x := Raw(t)).login().startswith(b"+OK") and x)
        assert c.ask("STAT").startswith(b"+OK 3 ")


def test_stls():
    with Instance() as t:
        c = Raw(t, tls=False)
        assert c.ask("CAPA") == b"+OK"
        capa = c.lines()
        assert b"STLS" in capa and b"USER" not in capa and not any(x.startswith(b"SASL") for x in capa)
        assert c.ask("USER bob").startswith(b"-ERR") and c.ask("AUTH PLAIN AGJvYgB0YXlvcmk=").startswith(b"-ERR")
        # what is said in clear behind STLS is never answered (RFC 2595)
        c.s.sendall(b"STLS\r\nQUIT\r\n")
        assert c.line().startswith(b"+OK")
        c.upgrade(t)
        assert c.ask("STLS").startswith(b"-ERR")
        assert c.login().startswith(b"+OK")


def test_sasl_and_pipelining():
    with Instance() as t:
        fill(t)
        plain = base64.b64encode(b"\0bob\0tayori").decode()
        c = Raw(t)
        assert c.ask("AUTH") == b"+OK" and c.lines() == [b"PLAIN", b"LOGIN"]
        assert c.ask("AUTH CRAM-MD5").startswith(b"-ERR")
        assert c.ask("AUTH PLAIN !").startswith(b"-ERR")
        c = Raw(t)
        assert c.ask("AUTH PLAIN") == b"+ " and c.ask("*").startswith(b"-ERR")
        assert c.ask(f"AUTH PLAIN {plain}").startswith(b"+OK")
        c.ask("QUIT")
        c.f.read()
        c = Raw(t)
        assert c.ask("AUTH LOGIN") == b"+ VXNlcm5hbWU6" and c.ask("Ym9i") == b"+ UGFzc3dvcmQ6" and c.ask("dGF5b3Jp").startswith(b"+OK")
        c.ask("QUIT")
        c.f.read()
        # everything in one packet, through the hand-over from front to session
        c = Raw(t)
        c.s.sendall(b"USER bob\r\nPASS tayori\r\nSTAT\r\nRETR 1\r\nNOOP\r\nQUIT\r\n")
        assert c.line() == b"+OK" and c.line().startswith(b"+OK logged in") and c.line().startswith(b"+OK 2 ")
        assert c.line().startswith(b"+OK") and c.lines() and c.line() == b"+OK" and c.line().startswith(b"+OK bye")
        assert c.f.read() == b""


def test_without_tls_where_it_is_allowed():
    with Instance(main="front_tls_auth_only = no") as t:
        fill(t)
        c = Raw(t, tls=False)
        c.s.sendall(b"USER bob@example.test\r\nPASS tayori\r\nSTAT\r\nQUIT\r\n")
        assert [c.line()[:3] for _ in range(4)] == [b"+OK"] * 4 and c.f.read() == b""


def test_bad_input():
    with Instance() as t:
        before = t.pids()
        c = Raw(t)
        c.s.sendall(b"USER " + b"a" * 20000 + b"\r\n")
        assert c.line().startswith(b"-ERR")
        c = Raw(t)
        assert [c.ask("X")[:4] for _ in range(2)] == [b"-ERR"] * 2
        c = Raw(t)
        assert c.say(b"US\0ER bob\r\n" + b"NOOP\r\n").startswith(b"-ERR")
        c = Raw(t)
        assert c.login("nobody").startswith(b"-ERR [AUTH]")
        c = Raw(t)
        c.login()
        c.s.sendall(b"A" * 5000)
        assert c.line().startswith(b"-ERR") and c.f.read() == b""
        try:
            ctx = t.context()
            ctx.set_alpn_protocols(["http/1.1"])
            ctx.wrap_socket(socket.create_connection(("127.0.0.1", t.pop3s)), server_hostname="localhost")
            raise AssertionError("a client of another protocol was let in")
        except (ssl.SSLError, ConnectionError):
            pass
        assert t.pids() == before


if __name__ == "__main__":
    suite.main()
