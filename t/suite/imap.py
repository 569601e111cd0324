#!/usr/bin/env python3
"""IMAP through the whole suite: logins, sleep and wake, push, folders, other programs, a lost index, the admin's commands."""
import json
import os
import re
import shutil
import socket
import subprocess
import time

import suite
from imapwire import Imap
from suite import Instance, Wire, run, until

ONE = b"From: a@remote.test\r\nSubject: one\r\n\r\nfirst\r\n"


def who(t):
    return json.loads(t.ctl("tayori", "who", "--json"))


def states(t, user="bob@example.test"):
    return sorted(row["state"] for row in who(t) if row["user"] == user)


def test_before_the_login():
    with Instance() as t:
        with Imap(t.imap, login=False) as c:
            assert c.greeting[1][0] == "OK" and "LOGINDISABLED" in c.greeting[1][1] and "STARTTLS" in c.greeting[1][1]
            c.no("LOGIN bob tayori", "PRIVACYREQUIRED")
            c.no("AUTHENTICATE PLAIN AGJvYgB0YXlvcmk=", "PRIVACYREQUIRED")
            assert "login user" not in t.log()
            c.ok("NOOP")
            c.ok("STARTTLS")
            c.sock = t.context().wrap_socket(c.sock, server_hostname="localhost")
            caps = c.ok("CAPABILITY").named("CAPABILITY")[0]
            assert {"AUTH=PLAIN", "AUTH=LOGIN", "SASL-IR", "IMAP4rev1"} <= set(caps) and "STARTTLS" not in caps
            c.bad("STARTTLS")
            c.no("LOGIN bob wrong", "AUTHENTICATIONFAILED")
            a = c.ok(["LOGIN ", b"bob", b" ", b"tayori", b""])  # both as literals
            assert "IDLE" in a.text and "AUTH=" not in a.text, a
        with Imap(t.imaps, t.context(), login=False) as c:
            tag, _ = c.begin("AUTHENTICATE PLAIN")
            assert c.response()[0] == "+"
            c.sock.sendall(b"AGJvYgB0YXlvcmk=\r\n")
            assert c.wait(tag).status == "OK"
        with Imap(t.imaps, t.context(), login=False) as c:
            c.ok("AUTHENTICATE PLAIN AGJvYgB0YXlvcmk=")
        with Imap(t.imaps, t.context(), login=False) as c:
            c.ok("LOGIN {3+}\r\nbob {6+}\r\ntayori")
            c.ok("LOGOUT")
        # plaintext behind STARTTLS is thrown away
        with Imap(t.imap, login=False) as c:
            c.sock.sendall(b"a STARTTLS\r\nb NOOP\r\n")
            assert c.response()[0] == "a"
            c.sock = t.context().wrap_socket(c.sock, server_hostname="localhost")
            c.ok("NOOP")
        for bad in b"GET / HTTP/1.1\r\n\r\n\r\n", b"x\r\ny\r\nz\r\n", b"a LOGIN {99999+}\r\n", b"a LOGIN {99999999999}\r\nb\r\nc\r\nd\r\n", b"a LOGIN \"x" + b"y" * 9000:
            with Wire(t.imaps, t.context()) as w:
                w.line()
                w.send(bad)
                assert w.rest() is not None, bad[:40]


def test_sleep_and_wake():
    with Instance("imap_sleep_after = 1s\nfront_tls_auth_only = no") as t:
        for port, tls in (t.imaps, t.context()), (t.imap, None):
            with Imap(port, tls) as c, Imap(port, tls) as other:
                c.ok("CREATE Zzz") if tls else None
                c.select("Zzz")
                for i in range(5):
                    c.append("Zzz", b"Subject: s%d\r\n\r\nx\r\n" % i)
                c.ok("STORE 2:3 +FLAGS (\\Seen kw)")
                c.ok("ENABLE CONDSTORE")
                other.ok("NOOP")
                until(lambda: states(t) == ["asleep", "asleep"])
                n = c.exists()  # wakes for a command
                assert n == 5 if tls else 10
                until(lambda: states(t) == ["asleep", "asleep"])
                # what others do while it sleeps is told when it wakes
                other.select("Zzz")
                other.ok(f"STORE 1 +FLAGS (\\Flagged new{port})")
                other.ok("STORE 5 +FLAGS (\\Deleted)")
                other.ok("EXPUNGE")
                other.append("Zzz", ONE)
                a = c.ok("NOOP")
                assert a.numbered("EXPUNGE") == [(5, [])] and (n, []) in a.numbered("EXISTS"), a
                assert any({"\\Flagged", f"new{port}"} <= set(i["FLAGS"]) and "MODSEQ" in i for k, i in a.fetched() if k == 1), a
                assert any(f"new{port}" in f[0] for f in a.named("FLAGS")), a
                assert "\\Seen" in c.ok("FETCH 2 FLAGS").fetched()[0][1]["FLAGS"]
                until(lambda: states(t) == ["asleep", "asleep"])
                c.sock.sendall(b"z LOGOUT\r\n")
                assert c.response()[1][0] == "BYE" and c.response()[0] == "z"
                until(lambda: len(states(t)) == 1)
            until(lambda: states(t) == [])


def test_commands_reach_a_session_that_falls_asleep():
    """At the moment of falling asleep the client speaks: nothing is lost, nothing comes twice."""
    with Instance("imap_sleep_after = 20ms\nfront_tls_auth_only = no" if False else "imap_sleep_after = 1s\nfront_tls_auth_only = no") as t:
        for port, tls in (t.imaps, t.context()), (t.imap, None):
            with Imap(port, tls) as c:
                c.select("INBOX")
                for i in range(60):
                    tag, _ = c.begin("IDLE")  # asleep at once
                    assert c.response()[0] == "+"
                    if i % 3 == 0:
                        time.sleep(0.001 * (i % 7))  # not an event: any moment will do
                    c.sock.sendall(b"DONE\r\nx%d NOOP\r\n" % i)
                    assert c.wait(tag).status == "OK"
                    assert c.wait(f"x{i}").status == "OK"


def idle(c):
    tag, _ = c.begin("IDLE")
    assert c.response()[0] == "+"
    return tag


def done(c, tag):
    c.sock.sendall(b"DONE\r\n")
    return c.wait(tag)


def test_push():
    with Instance("front_tls_auth_only = no") as t:
        for port, tls in (t.imaps, t.context()), (t.imap, None):
            with Imap(port, tls) as c, Imap(port, tls) as other:
                c.select("INBOX")
                other.select("INBOX")
                n = c.exists()
                tag = idle(c)
                until(lambda: "idle" in states(t))
                took = []
                for i in range(3):
                    t.send("a@remote.test", ["bob@example.test"], ONE)
                    got = [c.response()[1]]
                    while got[-1][1] != "EXISTS":
                        got.append(c.response()[1])
                    assert got[-1][0] == str(n + i + 1), got
                    until(lambda: "idle" in states(t))
                # by our own sessions, and by a program that knows nothing of us
                other.ok("NOOP")
                other.ok(f"STORE {n + 1} +FLAGS (\\Flagged)")
                until(lambda: c.response()[1][1] == "FETCH")
                new = f"{int(time.time())}.x{port}.script"
                with open(f"{t.mail()}/tmp/{new}", "w") as f:
                    f.write("Subject: dropped\n\nx\n")
                if suite.ROOT:
                    os.chown(f"{t.mail()}/tmp/{new}", os.stat(t.mail()).st_uid, -1)
                os.rename(f"{t.mail()}/tmp/{new}", f"{t.mail()}/new/{new}")
                until(lambda: c.response()[1] == [str(n + 4), "EXISTS"])
                assert done(c, tag).status == "OK"
                assert c.exists() == n + 4


def test_still_here():
    with Instance("imap_idle_notify_interval = 1s\nimap_session_timeout = 10s") as t:
        with Imap(t.imaps, t.context()) as c, Imap(t.imaps, t.context()) as silent:
            c.select("INBOX")
            tag = idle(c)
            assert c.response()[1][0] == "OK" and c.response()[1][0] == "OK"
            assert done(c, tag).status == "OK"
            assert silent.response()[1][0] == "BYE"  # asleep for longer than imap_session_timeout


def test_folders():
    with Instance() as t, Imap(t.imaps, t.context()) as c:
        validities = set()
        for _ in range(5):  # created, deleted, created again within a second
            c.ok("CREATE Again")
            uidvalidity = int(re.search(r"UIDVALIDITY (\d+)", str(c.select("Again").untagged))[1])
            assert uidvalidity not in validities and uidvalidity > max(validities, default=0)
            validities.add(uidvalidity)
            assert c.append("Again", ONE) == 1
            c.ok("CLOSE")
            c.ok("DELETE Again")
        for name in '"a/b"', '".."', '"a..b"', '".a"', '"a."' if False else '"a..b"', '"&bad"', '"&AGE-"', '"' + "x" * 1000 + '"', '"a\x7fb"', '""':
            a = c.cmd(f"CREATE {name}")
            assert a.status in ("NO", "BAD"), (name, a)
        from_nfc, from_nfd = "&MUwwTg-", "&MEswmTBO-"  # two spellings of one word: two names, each as it was given
        c.ok(f"CREATE {from_nfc}")
        c.ok(f"CREATE {from_nfd}")
        c.no(f"CREATE {from_nfc}", "ALREADYEXISTS")
        names = [row[-1] for row in c.ok('LIST "" *').named("LIST")]
        names = [n.decode() if isinstance(n, bytes) else n for n in names]
        assert from_nfc in names and from_nfd in names, names
        c.ok("CREATE inbox.child")
        c.no("CREATE InBoX", "ALREADYEXISTS")
        c.no("DELETE INBOX")
        c.append("INBOX", ONE)
        c.ok("RENAME INBOX Old")  # moves the messages, INBOX stays
        c.select("Old")
        assert c.exists() == 1
        c.select("INBOX")
        assert c.exists() == 0


def texts(c):
    return {int(i["UID"]): (sorted(set(i["FLAGS"]) - {"\\Recent"}), i["BODY[]"]) for _, i in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])").fetched()}


def test_index_lost():
    """Removed, cut off or scribbled over while nobody uses it: all comes back, and nobody else is touched."""
    with Instance() as t:
        with Imap(t.imaps, t.context(), user="alice") as a:
            a.append("INBOX", ONE)
        for how in "remove", "truncate", "scribble", "zero":
            with Imap(t.imaps, t.context()) as c:
                c.append("INBOX", ONE, "\\Flagged kw" + how)
                c.append("INBOX", b"Subject: " + how.encode() + b"\r\n\r\nx\r\n")
                c.select("INBOX")
                c.ok("STORE 1 +FLAGS (\\Answered)")
                before = texts(c), re.search(r"UIDVALIDITY (\d+)", str(c.select("INBOX").untagged))[1]
                modseq = int(re.search(r"HIGHESTMODSEQ (\d+)", str(c.select("INBOX", more=" (CONDSTORE)").untagged))[1])
                c.ok("LOGOUT")
            until(lambda: states(t) == [])
            data = f"{t.mail()}/tayori-index/data.mdb"
            size = os.path.getsize(data)
            if how == "remove":
                shutil.rmtree(f"{t.mail()}/tayori-index")
            elif how == "truncate":
                os.truncate(data, size // 2)
            else:
                with open(data, "r+b") as f:
                    f.seek(0 if how == "zero" else 4096)
                    f.write((b"\0" if how == "zero" else b"\xa5") * (size - 4096))
            with Imap(t.imaps, t.context()) as c:
                after = c.select("INBOX", more=" (CONDSTORE)")
                assert re.search(r"UIDVALIDITY (\d+)", str(after.untagged))[1] == before[1]
                assert int(re.search(r"HIGHESTMODSEQ (\d+)", str(after.untagged))[1]) >= modseq
                assert texts(c) == before[0], how
        with Imap(t.imaps, t.context(), user="alice") as a:
            a.select("INBOX")
            assert len(texts(a)) == 1
        assert "killed by signal" not in t.log()


def test_commands_of_the_admin():
    with Instance() as t, Imap(t.imaps, t.context()) as c:
        c.ok("CREATE Work")
        c.append("INBOX", ONE)
        rows = {r["folder"]: r for r in json.loads(t.ctl("tayori", "mailbox", "list", "bob@example.test", "--json"))}
        assert set(rows) == {"INBOX", "Work"} and rows["INBOX"]["messages"] == 1 and rows["INBOX"]["unseen"] == 1, rows
        t.ctl("tayori", "mailbox", "create", "bob@example.test", "Made")
        t.ctl("tayori", "mailbox", "rename", "bob@example.test", "Made", "Renamed")
        assert t.ctl("tayori", "mailbox", "create", "bob@example.test", "Renamed", check=False).returncode == 1
        assert "Renamed" in t.ctl("tayori", "mailbox", "list", "bob@example.test")
        t.ctl("tayori", "mailbox", "delete", "bob@example.test", "Renamed")
        assert t.ctl("tayori", "mailbox", "status", "bob@example.test", "Renamed", check=False).returncode in (0, 1)
        assert "no mistakes" in t.ctl("tayori", "mailbox", "check", "bob@example.test")
        t.ctl("tayori", "mailbox", "rebuild", "bob@example.test")
        assert c.select("INBOX") and c.exists() == 1  # an open session goes on
        assert t.ctl("tayori", "mailbox", "list", "nobody@example.test", check=False).returncode == 67
        assert t.ctl("tayori", "mailbox", "bogus", "bob@example.test", check=False).returncode == 64
        rows = who(t)
        assert [(r["user"], r["protocol"], r["security"]) for r in rows] == [("bob@example.test", "imap", "TLS")], rows
        assert "bob@example.test" in t.ctl("tayori", "who")
        assert "1 session ended" in t.ctl("tayori", "kick", "bob@example.test")
        assert until(lambda: c.sock.recv(4096) == b"") and until(lambda: who(t) == [])
        assert t.ctl("tayori", "kick", "bob@example.test", check=False).returncode == 1
        with Imap(t.imaps, t.context()) as d:
            d.select("INBOX")
            idle(d)
            until(lambda: states(t) == ["idle"])
            t.ctl("tayori", "kick", "bob@example.test")
            assert d.response()[1][0] == "BYE"


def test_many_connections_of_one_user():
    with Instance() as t:
        clients = [Imap(t.imaps, t.context()) for _ in range(30)]
        for c in clients:
            c.select("INBOX")
            idle(c)
        until(lambda: states(t) == ["idle"] * 30)
        t.send("a@remote.test", ["bob@example.test"], ONE)
        for c in clients:
            until(lambda: c.response()[1] == ["1", "EXISTS"])
        for c in clients:
            c.sock.close()
        until(lambda: who(t) == [])


def test_the_front_or_its_parent_dies():
    with Instance() as t:
        for victim in "imapsession", "imapd":
            with Imap(t.imaps, t.context()) as c:
                c.select("INBOX")
                idle(c)
                until(lambda: states(t) == ["idle"])
                pid = t.pids()[victim][0]
                os.kill(pid, 9)
                until(lambda: t.pids()[victim][0] not in (pid, 0))

                def again():
                    try:
                        with Imap(t.imaps, t.context()) as d:
                            return d.select("INBOX")
                    except (OSError, AssertionError):
                        return None
                until(again)
            until(lambda: who(t) == [])


if __name__ == "__main__":
    suite.main()
