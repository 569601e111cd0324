#!/usr/bin/env python3
"""Clients that mean ill, or speak the wrong language: nothing falls over, nothing is let through, others are served."""
import base64
import concurrent.futures
import contextlib
import functools
import json
import os
import re
import socket
import ssl
import time

import suite
from suite import Instance, Wire, need, run, stuff, until

SERVICES = "smtp", "submission", "smtps", "lmtp", "pop3", "pop3s"
LINE = re.compile(r"\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ tayori/[\w-]+\[\d+\]: .*")


def rows(t):
    return [(r["daemon"], r["pid"], r["state"], r["restarts"]) for r in json.loads(t.ctl("tayori", "status", "--json", check=False).stdout)]


@contextlib.contextmanager
def unharmed(t):
    """Whatever happens inside: the same processes serve on, and every line of the log is one of ours."""
    until(lambda: all(state == "ready" for _, _, state, _ in rows(t)))
    before = rows(t)
    yield
    after = rows(t)
    assert after == before and all(state == "ready" and restarts == 0 for _, _, state, restarts in after), (before, after)
    t.send("a@remote.test", ["bob@example.test"], b"Subject: honest\r\n\r\n")
    assert b"Subject: honest" in t.fetch("bob", wait=1)[-1]
    with open(f"{t.dir}/log/tayori.log", "rb") as f:
        for line in f.read().decode().split("\n")[:-1]:
            assert LINE.fullmatch(line) and line.isprintable(), line


def connect(t, service, **kw):
    return Wire(getattr(t, service), tls=t.context() if service.endswith("s") else None, **kw)


def hello(t, service="smtp"):
    """A session that has been greeted."""
    w = connect(t, service)
    assert w.reply()[0] == 220
    assert w.cmd("LHLO c.test" if service == "lmtp" else "EHLO c.test")[0] == 250
    return w


def logged_in(t):
    w = hello(t, "smtps")
    assert w.cmd("AUTH PLAIN " + base64.b64encode(b"\0alice\0tayori").decode())[0] == 235
    return w


def pop_session(t):
    w = connect(t, "pop3s")
    w.line()
    w.send(b"USER bob\r\nPASS tayori\r\n")
    assert w.line().startswith(b"+OK") and w.line().startswith(b"+OK")
    return w


@functools.cache
def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def test_wrong_protocol():
    payloads = [client_hello(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.0\r\nContent-Length: 20\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n", b"USER bob\r\nPASS tayori\r\nSTAT\r\n",
                b"EHLO x\r\nNOOP\r\n", b"a001 LOGIN bob tayori\r\n", b"\x16\x03\x01\xff\xff" + b"\x01" * 70000, b"\x80\x2e\x01\x00\x02", bytes(range(256)) * 300,
                b"\x05\x01\x00", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n", b"\r\n" * 2000, b"\n" * 2000, b"\xff\xfb\x01" * 100, b"", b"\r", b"+OK\r\n", b"250 hello\r\n"]
    with Instance() as t, unharmed(t):
        for service in SERVICES:
            for payload in payloads:
                with Wire(getattr(t, service)) as w:
                    try:
                        w.send(payload)
                        w.sock.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    told = w.rest()
                    assert told is not None, (service, payload[:40], "the connection stays open")
                    if not payload.startswith((b"EHLO", b"USER")):
                        assert b"\r\n250" not in told and b"logged in" not in told, (service, payload[:40], told)
        # what a browser sends is cut off at once, so that nothing behind it counts
        for service in "smtp", "submission", "lmtp":
            with Wire(getattr(t, service)) as w:
                w.reply()
                w.send(b"POST / HTTP/1.1\r\nEHLO x\r\nMAIL FROM:<a@b.test>\r\n")
                assert w.reply()[0] == 554 and w.line() == b""


def flood(w, chunk, most=1 << 40, seconds=10):
    """Sends until the server has closed, or so much is sent; whether that was in time."""
    end, sent = time.monotonic() + seconds, 0
    try:
        while sent < most and time.monotonic() < end:
            w.send(chunk)
            sent += len(chunk)
    except (OSError, ssl.SSLError):
        pass
    return time.monotonic() < end


def test_endless_line():
    with Instance() as t, unharmed(t):
        def greeted(service):
            w = connect(t, service)
            w.line()
            return w

        def in_auth():
            w = hello(t, "smtps")
            assert w.cmd("AUTH PLAIN")[0] == 334
            return w
        makers = [lambda s=s: greeted(s) for s in SERVICES] + [in_auth, lambda: pop_session(t)]

        def one(make):
            with make() as w:
                return flood(w, b"A" * 65536, seconds=20)
        with concurrent.futures.ThreadPoolExecutor(len(makers)) as pool:
            assert all(pool.map(one, makers))


def test_nul():
    with Instance() as t, unharmed(t):
        for service in "smtp", "submission", "lmtp":
            with hello(t, service) as w:
                for line in b"NO\0OP", b"\0", b"NOOP\0", b"MAIL FROM:<a\0@b.test>":
                    assert w.cmd(line)[0] == 500, line
                assert w.cmd("NOOP")[0] == 250
        with hello(t) as w:
            w.cmd("MAIL FROM:<a@b.test>")
            assert w.cmd(b"RCPT TO:<bob\0@example.test>")[0] == 500
            assert w.cmd("RCPT TO:<bob@example.test>")[0] == 250
            assert w.cmd("DATA")[0] == 354
            w.send(b"Subject: x\r\n\r\n\0\r\n.\r\n")
            assert w.reply()[0] == 550
            assert w.cmd("NOOP")[0] == 250
        with connect(t, "pop3") as w:
            w.line()
            w.send(b"CA\0PA\r\n" * 3)
            assert w.rest() is not None
        with pop_session(t) as w:
            w.send(b"ST\0AT\r\nRETR 1\0\r\nSTAT\r\n")
            assert w.line().startswith(b"-ERR") and w.line().startswith(b"-ERR") and w.line().startswith(b"+OK")


def test_bad_commands():
    """A thousand of them: the session ends long before, and what was pipelined behind is not done."""
    letter = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: late\r\n\r\n.\r\n"
    with Instance() as t, unharmed(t):
        for service, line, most in (("smtp", b"FROBNICATE\r\n", 5), ("smtp", b"MAIL FROM:bad\r\n", 22), ("smtp", b"RCPT TO:<x@elsewhere.test>\r\n", 22),
                                    ("smtp", b"NOOP\r\n", 125), ("smtp", b"RSET\r\n", 125), ("smtp", b"\r\n", 22), ("smtp", b"STARTTLS x\r\n", 22),
                                    ("lmtp", b"EHLO x\r\n", 22), ("submission", b"AUTH PLAIN AGEAYg==\r\n", 22), ("pop3", b"FROB\r\n", 5), ("pop3", b"\r\n", 5)):
            w = connect(t, service) if service == "pop3" else hello(t, service)
            if service == "pop3":
                w.line()
            flood(w, line * 1000 + letter, 1)
            told = w.rest()
            assert told is not None and 0 < told.count(b"\r\n") <= most, (service, line, told and told.count(b"\r\n"))
            assert b"354" not in told
        # guessing passwords
        with hello(t, "smtps") as w:
            codes = []
            for _ in range(20):
                w.sock.settimeout(60)
                codes.append(w.cmd("AUTH PLAIN " + base64.b64encode(b"\0alice\0guess").decode())[0])
                if codes[-1] == 0:
                    break
            assert 3 <= len(codes) <= 7 and set(codes) <= {535, 421, 0}, codes


def test_starttls_injection():
    with Instance() as t, unharmed(t):
        for service, injected in (("smtp", b"NOOP\r\n"), ("submission", b"MAIL FROM:<a@b.test>\r\n"), ("lmtp", b"QUIT\r\n"), ("smtp", b"EHLO evil.test\r\n" * 50)):
            with hello(t, service) as w:
                w.send(b"STARTTLS\r\n" + injected)
                assert w.reply()[0] == 220
                assert w.buf == b""
                w.start_tls(t.context())
                code, told = w.cmd("LHLO c.test" if service == "lmtp" else "EHLO c.test")
                assert code == 250 and "PIPELINING" in told and w.buf == b"", (service, code, told)
                assert w.cmd("STARTTLS")[0] == 503
        # what was said before TLS is forgotten
        with hello(t) as w:
            w.cmd("MAIL FROM:<a@b.test>")
            assert w.cmd("STARTTLS")[0] == 503
            w.cmd("RSET")
            assert w.cmd("STARTTLS")[0] == 220
            w.start_tls(t.context())
            assert w.cmd("RCPT TO:<bob@example.test>")[0] == 503
        with connect(t, "pop3") as w:
            w.line()
            w.send(b"STLS\r\nCAPA\r\nUSER bob\r\n")
            assert w.line().startswith(b"+OK") and w.buf == b""
            w.start_tls(t.context())
            w.send(b"PASS tayori\r\n")
            assert w.line().startswith(b"-ERR") and w.buf == b""
        assert "login user" not in t.log()


def test_early_talker():
    """What comes before the greeting waits for its turn."""
    with Instance() as t, unharmed(t):
        for service in "smtp", "smtps", "pop3", "pop3s":
            for i in range(20):
                with connect(t, service) as w:
                    w.send(b"QUIT\r\n" if "pop" in service else b"EHLO c.test\r\nQUIT\r\n")
                    told = w.rest()
                    assert told.startswith((b"220 ", b"+OK Tayori")) and re.search(rb"\r\n(221|\+OK bye)", told), told


def test_smuggling():
    inner = b"MAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    ends = [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\n\n.\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
            b"\r\n. \r\n", b"\r\n .\r\n", b"\r\n..\r\n", b"\x85.\x85", b"\r\n.\x0b\r\n", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\r\n.\n\r\n", b"\n\r.\n\r"]
    with Instance() as t, unharmed(t):
        for service in "smtp", "lmtp", "submission":
            for end in ends:
                for split in False, True:
                    w = logged_in(t) if service == "submission" else hello(t, service)
                    with w:
                        assert w.cmd("MAIL FROM:<alice@example.test>")[0] == 250
                        assert w.cmd("RCPT TO:<bob@example.test>")[0] == 250
                        assert w.cmd("DATA")[0] == 354
                        data = b"Subject: outer\r\n\r\nfirst" + end + inner
                        if split:
                            at = data.index(end) + len(end) - 1
                            w.send(data[:at])
                            time.sleep(0.005)
                            w.send(data[at:])
                        else:
                            w.send(data)
                        code, told = w.reply()
                        assert code in (250, 550), (end, code, told)
                        assert w.cmd("QUIT")[0] == 221, end
                        assert w.rest() == b""
        until(lambda: "empty" in t.ctl("mailq"))
        got = t.fetch("bob")
        assert got and all(b"Return-Path: <alice@example.test>" in m and b"Subject: outer" in m for m in got)
        accepted = t.log().count("status=sent")
        assert len(got) == accepted and len(got) < len(ends) * 6


def test_many_recipients():
    with Instance() as t, unharmed(t):
        with hello(t) as w:
            w.cmd("MAIL FROM:<a@b.test>")
            flood(w, b"".join(b"RCPT TO:<bob+%d@example.test>\r\n" % i for i in range(10000)), 1)
            codes = [int(x) for x in re.findall(rb"(?m)^(\d\d\d) ", w.rest(60))]
            assert codes[:1000] == [250] * 1000 and set(codes[1000:-1]) == {452} and codes[-1] == 421 and len(codes) <= 1022, (len(codes), codes[-3:])
        with hello(t) as w:  # all of them unknown
            w.cmd("MAIL FROM:<a@b.test>")
            flood(w, b"".join(b"RCPT TO:<no%d@example.test>\r\n" % i for i in range(10000)), 1)
            assert len(re.findall(rb"\n", w.rest(60))) <= 22


def memory(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
    return total


def test_too_large():
    with Instance(main="message_size_limit = 300000") as t, unharmed(t):
        with hello(t) as w:
            assert w.cmd("MAIL FROM:<a@b.test> SIZE=300001")[0] == 552
            assert w.cmd("MAIL FROM:<a@b.test> SIZE=18446744073709551616")[0] == 552
            for bad in "-1", "x", "", "999999999999999999999999999", "1 SIZE=2", "0x10":
                assert w.cmd(f"MAIL FROM:<a@b.test> SIZE={bad}")[0] in (501, 552), bad
        before = memory(t.pids()["smtpd"])
        for body in b"x" * 998 + b"\r\n", b"x" * 1000, b".\r\n", b"\r\n", b"X-H: y\r\n":
            with hello(t) as w:
                assert w.cmd("MAIL FROM:<a@b.test> SIZE=100")[0] == 250
                assert w.cmd("RCPT TO:<bob@example.test>")[0] == 250
                assert w.cmd("DATA")[0] == 354
                block = (b"" if body == b"X-H: y\r\n" else b"\r\n") + body * (1000000 // len(body))
                block = block.replace(b"\r\n.\r\n", b"\r\n..\r\n").replace(b"\r\n.\r\n", b"\r\n..\r\n")
                for _ in range(30):
                    w.send(block)
                w.send(b"\r\n.\r\n")
                code, told = w.reply()
                assert code == 552, (body[:10], code, told)
                assert w.cmd("NOOP")[0] == 250
        assert memory(t.pids()["smtpd"]) < before + 8000, (before, memory(t.pids()["smtpd"]))
        assert os.listdir(f"{t.dir}/queue/tmp") == []
        # exactly the limit is taken, one more is not
        for more, want in (0, 250), (1, 552):
            with hello(t) as w:
                w.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
                [w.reply() for _ in range(3)]
                text = b"Subject: s\r\n\r\n"
                w.send(stuff(text + b"y" * (300000 + more - len(text) - 2) + b"\r\n"))
                assert w.reply()[0] == want, more
        assert len(t.fetch("bob", wait=1)) == 1


def many(t, service, n, address="127.0.0.1"):
    """n connections from one address; what each was greeted with."""
    open_, told = [], []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", getattr(t, service)), 20, (address, 0))
        open_.append(s)
    for s in open_:
        try:
            told.append(s.recv(100))
        except ConnectionError:
            told.append(b"")
    return open_, told


def close_all(list_):
    for s in list_:
        s.close()


def test_idle_connections():
    with Instance(main="front_client_connection_count_limit = 20\nsmtpd_client_connection_count_limit = 20\nsmtpd_client_event_limit_exceptions =\nsmtpd_session_limit = 30\nfront_session_limit = 30") as t, unharmed(t):
        for service, good, bad in ("smtp", b"220 ", b"421 "), ("pop3", b"+OK", b"-ERR"):
            first, told = many(t, service, 40)
            assert sum(x.startswith(good) for x in told) == 20 and sum(x.startswith(bad) for x in told) == 20, told
            until(lambda: all(s.recv(100, socket.MSG_DONTWAIT) == b"" for s, x in zip(first, told) if x.startswith(bad)))
            second, told = many(t, service, 20, "127.0.0.2")  # others are let in, until the service is full
            assert sum(x.startswith(good) for x in told) == 10, told
            close_all(first + second)

            def served():
                s, told = many(t, service, 1)
                close_all(s)
                return told[0].startswith(good)
            until(served)


def test_timeouts():
    with Instance(main="smtpd_timeout = 2s\nfront_login_timeout = 2s\npop3_session_timeout = 10s") as t, unharmed(t):
        begin = time.monotonic()
        idle = [Wire(getattr(t, s)) for s in SERVICES] + [hello(t), logged_in(t), pop_session(t)]
        half = hello(t)
        half.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
        [half.reply() for _ in range(3)]
        half.send(b"Subject: never\r\n\r\n")
        for i, w in enumerate(idle + [half]):
            assert w.rest(60) is not None, i
        assert time.monotonic() - begin > 9


def test_half_a_message():
    with Instance() as t, unharmed(t):
        for n in list(range(0, 40)) + [5000, 65000, 66000, 140000, 1000000] * 4:
            with hello(t) as w:
                w.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
                [w.reply() for _ in range(3)]
                w.send((b"Subject: half\r\n\r\n" + b"x" * 70 + b"\r\n" * 1 + b"y" * n)[:n or 1])
                if n % 3 == 0:
                    w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        # the whole message but without its end, and with its end but nobody waits for the answer
        for end in b"\r\n.\r", b"\r\n.", b"\r\n":
            with hello(t) as w:
                w.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: half\r\n\r\nall" + end)
        time.sleep(0.5)
        assert t.fetch("bob") == [] and "empty" in t.ctl("mailq")
        until(lambda: os.listdir(f"{t.dir}/queue/tmp") == [], 60)


def test_crowd():
    """200 connections that do nothing on each port; an honest client is served meanwhile."""
    with Instance(main="smtpd_client_connection_count_limit = 1000\nfront_client_connection_count_limit = 1000") as t, unharmed(t):
        crowd = []
        for service in SERVICES:
            for i in range(200):
                s = socket.create_connection(("127.0.0.1", getattr(t, service)), 20, (f"127.0.1.{i % 4 + 1}", 0))
                if i % 3 == 1:
                    s.send(b"E")
                if i % 3 == 2:
                    s.send(client_hello()[:100])
                crowd.append(s)
        for _ in range(10):
            t.send("a@remote.test", ["bob@example.test"], b"Subject: quick\r\n\r\n")
        with logged_in(t) as w:
            assert w.cmd("NOOP")[0] == 250
        assert len(t.fetch("bob", wait=10)) == 10
        close_all(crowd)


def test_open_relay():
    probes = ["x@elsewhere.test", "x%elsewhere.test@example.test", "x%elsewhere.test", "\"x@elsewhere.test\"@example.test", "\"x%elsewhere.test\"@example.test",
              "\"x@elsewhere.test\"", "@example.test:x@elsewhere.test", "@example.test,@b.test:x@elsewhere.test", "elsewhere.test!x@example.test", "elsewhere.test!x", "x@elsewhere.test@example.test",
              "x@[127.0.0.1]", "x%elsewhere.test@[127.0.0.1]", "x@[10.1.2.3]", "x@[IPv6:::1]", "x@localhost", "x@mail.example.test", "root@localhost", "x@elsewhere.test.", "|/bin/sh@example.test",
              "\"|/bin/sh\"@example.test", "/etc/passwd@example.test", "../bob@example.test", "\"../bob\"@example.test", "bob@example.test@", "bob@EXAMPLE.test.elsewhere.test", "",
              "bob@example.test\u00e9", "bob@ex\u00e4mple.test", "..@example.test", ".@example.test", "bob/../alice@example.test"]
    senders = ["", "x@elsewhere.test", "alice@example.test", "root@localhost", "postmaster@[127.0.0.1]"]
    with Instance(main="smtpd_hard_error_limit = 1000") as t, unharmed(t):
        for service in "smtp", "lmtp":
            for sender in senders:
                with hello(t, service) as w:
                    assert w.cmd(f"MAIL FROM:<{sender}>")[0] == 250
                    for probe in probes:
                        code, told = w.cmd(f"RCPT TO:<{probe}>")
                        assert 500 <= code < 560, (service, probe, code, told)
                    assert w.cmd("DATA")[0] == 503
        with hello(t, "submission") as w:
            assert w.cmd("MAIL FROM:<alice@example.test>")[0] == 530
            assert w.cmd("RCPT TO:<x@elsewhere.test>")[0] == 503
        with logged_in(t) as w:  # with a login, only as oneself
            for sender, want in ("bob@example.test", 553), ("x@elsewhere.test", 553), ("alice@example.test", 250):
                assert w.cmd(f"MAIL FROM:<{sender}>")[0] == want, sender
        assert t.fetch("alice") == []


def test_nmap():
    need("nmap")
    with Instance() as t, unharmed(t):
        r = run("nmap", "-Pn", "-n", "-sT", "--script", "smtp-open-relay,smtp-commands,smtp-enum-users", "-p", f"T:{t.smtp},{t.submission}",
                "--script-args", "smtp-open-relay.domain=example.test", "127.0.0.1", timeout=120)
        assert "open relay (" not in r.stdout.replace("doesn't seem to be an open relay", ""), r.stdout


def test_log_lines():
    """Nothing that a client says makes a second line, moves a cursor, or is longer than a line may be."""
    nasty = [b"a\x1b[31mb", b"a\x1b]0;title\x07", b"a\x08\x08b", b"\xff\xfe\xc3", b"a\xc2\x9bm", b"x" * 1500, b"a%s%n%x%1000000d", b"\xe2\x80\xa8", b"\xe2\x80\xaea", b"'; DROP", b"a\x0bb\x0cc", b"\x7f", "便り".encode()]
    with Instance(main="smtpd_hard_error_limit = 1000\nauth_failure_delay = 0\nsmtpd_auth_limit = 100\nfront_auth_limit = 100") as t, unharmed(t):
        for n in nasty:
            for service in "smtp", "lmtp":
                with connect(t, service) as w:
                    w.reply()
                    w.cmd((b"LHLO " if service == "lmtp" else b"EHLO ") + n)
                    w.cmd((b"LHLO " if service == "lmtp" else b"HELO ") + b"ok.test")
                    w.cmd(b"MAIL FROM:<" + n + b"@remote.test>")
                    w.cmd(b'MAIL FROM:<"' + n + b'"@remote.test>')
                    w.cmd(b"MAIL FROM:<ok@remote.test>")
                    w.cmd(b"RCPT TO:<" + n + b"@example.test>")
                    w.cmd(b'RCPT TO:<"' + n + b'"@example.test>')
                    w.cmd(b"RCPT TO:<x@" + n + b">")
                    w.cmd(b"RCPT TO:<bob@example.test>")
                    w.cmd(b"DATA")
                    w.send(b"Message-ID: <" + n + b">\r\nSubject: " + n + b"\r\n\r\n.\r\n")
                    assert w.reply()[0] == 250
                    w.send(n)
            with connect(t, "smtps") as w:
                w.reply()
                w.cmd("EHLO c.test")
                for user in n, b"al\nice", b"al\r\nice", b"alice\0":
                    w.cmd(b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0wrong"))
                w.cmd(b"AUTH " + n)
            with connect(t, "pop3s") as w:
                w.line()
                w.send(b"USER " + n + b"\r\nPASS " + n + b"\r\n")
                w.line()
                w.line()
        until(lambda: "empty" in t.ctl("mailq"))
        assert len(t.fetch("bob")) == 2 * len(nasty)
        assert "\x1b" not in t.ctl("mailq") + t.ctl("tayori", "status")


if __name__ == "__main__":
    suite.main()
