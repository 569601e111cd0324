#!/usr/bin/env python3
"""The programs that people use, against the whole suite: mail clients, our own commands, other mail servers."""
import base64
import glob
import json
import os
import poplib
import pwd
import re
import shutil
import smtplib
import socket
import stat
import subprocess
import sys
import tempfile
import time

import suite
from peers import POSTFIX_SERVICES, USERS, bound, exim_binary, with_users
from suite import BUILD, ROOT, Instance, Skip, Wire, free_base, need, original, run, until


def sent_to_bob(t, word, n=1):
    """Waits for n messages to bob, wants the word in the first; returns the first without its trace."""
    got = t.fetch("bob", wait=n)
    assert len(got) == n and word.encode() in got[0], (word, got)
    return original(got[0])


# ---- clients that send ----

def swaks(t, port, *more, to="bob@example.test"):
    return run("swaks", "--server", "localhost", "--port", str(port), "--from", "alice@example.test", "--to", to, "--ehlo", "client.test",
               "--header", "Subject: swaks", "--body", "by swaks", "--timeout", "20", "--tls-verify", "--tls-ca-path", f"{t.dir}/tls/ca.pem", *more)


def test_swaks():
    need("swaks")
    with Instance() as t:
        for port, tls in (t.submission, "--tls"), (t.smtps, "--tls-on-connect"):
            for method in "PLAIN", "LOGIN":
                auth = "--auth", method, "--auth-user", "alice", "--auth-password"
                r = swaks(t, port, tls, *auth, "tayori")
                assert r.returncode == 0 and " 235 " in r.stdout, r.stdout + r.stderr
                sent_to_bob(t, "by swaks")
        r = swaks(t, t.submission, "--tls", "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "wrong")
        assert r.returncode and "535 5.7.8" in r.stdout, r.stdout
        # without TLS neither offered nor taken, even when the client insists
        r = swaks(t, t.submission, "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "tayori")
        assert r.returncode and "235" not in r.stdout and "AUTH" not in re.sub(r"(?m)^\*\*\*.*", "", r.stdout), r.stdout
        # the MX port: STARTTLS, plain, and no login in either
        for more in ("--tls",), ():
            r = swaks(t, t.smtp, *more)
            assert r.returncode == 0 and "AUTH" not in r.stdout, r.stdout
            sent_to_bob(t, "by swaks")
        r = swaks(t, t.lmtp, "--protocol", "LMTP")
        assert r.returncode == 0, r.stdout
        sent_to_bob(t, "by swaks")


def test_no_password_in_clear():
    secret = base64.b64encode(b"\0alice\0tayori").decode()
    with Instance() as t:
        for port in t.smtp, t.submission, t.lmtp:
            with Wire(port) as w:
                w.reply()
                code, told = w.cmd("LHLO c" if port == t.lmtp else "EHLO c")
                assert code == 250 and "AUTH" not in told, told
                assert "STARTTLS" in told, told
                assert w.cmd("AUTH PLAIN " + secret)[0] in (503, 530, 538)
                assert w.cmd("AUTH LOGIN")[0] in (503, 530, 538)
                if port == t.submission:
                    assert w.cmd("MAIL FROM:<alice@example.test>")[0] == 530
        with Wire(t.pop3) as w:
            w.line()
            w.send(b"CAPA\r\n")
            told = [w.line() for _ in range(8)]
            assert b"STLS" in told and b"USER" not in told and not any(x.startswith(b"SASL") for x in told), told
            w.send(b"USER bob\r\nPASS tayori\r\nAUTH PLAIN " + secret.encode() + b"\r\n")
            until(lambda: w.line().startswith(b"-ERR"))
            assert w.line().startswith(b"-ERR") and w.line().startswith(b"-ERR")
        assert "login user" not in t.log()


def test_msmtp():
    need("msmtp")
    letter = "From: alice@example.test\nTo: bob@example.test\nSubject: m\n\n.by msmtp\n"
    with Instance() as t:
        for port, starttls in (t.submission, "on"), (t.smtps, "off"):
            for method in "plain", "login", "on":
                r = run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-starttls={starttls}",
                        f"--tls-trust-file={t.dir}/tls/ca.pem", f"--auth={method}", "--user=alice", "--passwordeval=echo tayori",
                        "--from=alice@example.test", "bob@example.test", input=letter)
                assert r.returncode == 0, r.stderr
                sent_to_bob(t, ".by msmtp")
        r = run("msmtp", "--serverinfo", "--file=/dev/null", "--host=localhost", f"--port={t.submission}", "--tls=on", f"--tls-trust-file={t.dir}/tls/ca.pem")
        assert "PLAIN LOGIN" in r.stdout and "SIZE" in r.stdout, r.stdout


def curl(t, url, *more, user="alice", input=None):
    return run("curl", "-sS", "--max-time", "30", "--cacert", f"{t.dir}/tls/ca.pem", "--user", f"{user}:tayori", url, *more, input=input)


def test_curl():
    need("curl")
    letter = "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: c\r\n\r\n.by curl\r\n"
    with Instance() as t:
        way = "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test", "--upload-file", "-"
        for url in f"smtp://localhost:{t.submission}", f"smtps://localhost:{t.smtps}":
            for method in "PLAIN", "LOGIN":
                r = curl(t, url, *way, "--ssl-reqd", "--login-options", f"AUTH={method}", input=letter)
                assert r.returncode == 0, r.stderr
        for url in f"pop3://localhost:{t.pop3}", f"pop3s://localhost:{t.pop3s}":
            until(lambda: len(curl(t, url, "--ssl-reqd", user="bob").stdout.splitlines()) == 4)
            for more in (), ("--login-options", "AUTH=PLAIN"), ("--login-options", "AUTH=LOGIN"), ("--sasl-ir",):
                r = curl(t, url + "/2", "--ssl-reqd", *more, user="bob")
                assert r.returncode == 0 and r.stdout.endswith("\n.by curl\n"), (more, r.stdout, r.stderr)
            assert "TOP" in curl(t, url, "--ssl-reqd", "-X", "CAPA", user="bob").stdout
            assert curl(t, url + "/9", "--ssl-reqd", user="bob").returncode
        assert curl(t, f"pop3s://localhost:{t.pop3s}/1", "-X", "DELE", "-I", user="bob").returncode == 0
        assert len(t.fetch("bob")) == 3
        r = curl(t, f"pop3://localhost:{t.pop3}", user="bob")  # no TLS: no login
        assert r.returncode, r.stdout


def test_python():
    with Instance() as t:
        with smtplib.SMTP_SSL("localhost", t.smtps, context=t.context(), local_hostname="c.test") as c:
            c.login("alice@example.test", "tayori")
            c.sendmail("alice@example.test", ["bob@example.test", "alice@example.test"], "Subject: p\n\nby python\n")
        with smtplib.SMTP("localhost", t.submission, local_hostname="c.test") as c:
            try:
                c.login("alice", "tayori")
                raise AssertionError("login without TLS")
            except smtplib.SMTPNotSupportedError:
                pass
            c.starttls(context=t.context())
            for method in "PLAIN", "LOGIN":
                assert method in c.ehlo()[1].decode()
            try:
                c.login("alice", "wrong")
                raise AssertionError("a wrong password")
            except smtplib.SMTPAuthenticationError as e:
                assert e.smtp_code == 535
            c.login("alice", "tayori")
            c.sendmail("alice@example.test", ["bob@example.test"], "Subject: p\n\nby python too\n")
            try:  # a sender that is another's
                c.sendmail("bob@example.test", ["bob@example.test"], "x")
                raise AssertionError("bob's address for alice")
            except smtplib.SMTPSenderRefused as e:
                assert e.smtp_code == 553, e
        t.fetch("bob", wait=2, delete=False)
        c = poplib.POP3("localhost", t.pop3, timeout=30)
        assert "STLS" in c.capa()
        c.stls(t.context())
        c.user("bob@example.test")
        c.pass_("tayori")
        n, size = c.stat()
        assert n == 2 and size == sum(int(x.split()[1]) for x in c.list()[1])
        ids = c.uidl()[1]
        assert len(set(x.split()[1] for x in ids)) == 2 and c.uidl(1).split()[2] == ids[0].split()[1]
        assert size == sum(len(b"\r\n".join(c.retr(i)[1])) + 2 for i in (1, 2))
        top = c.top(1, 0)[1]
        assert top[-1] == b"" and not any(b"by python" in x for x in top), top
        c.dele(1)
        c.rset()
        c.dele(2)
        c.quit()
        c = t.pop3_client()
        assert c.stat()[0] == 1 and c.uidl()[1][0].split()[1] == ids[0].split()[1]
        c.close()


# ---- clients that fetch ----

def fill(t, n=3):
    for i in range(n):
        t.send("a@remote.test", ["bob@example.test"], b"From: a@remote.test\r\nSubject: %d\r\n\r\n.letter %d\r\n" % (i, i))
    t.fetch("bob", wait=n, delete=False)


def test_fetchmail():
    need("fetchmail")
    with Instance() as t:
        for port, more in (t.pop3s, "ssl"), (t.pop3, "sslproto 'tls1.2+'"):
            fill(t)
            out = f"{t.dir}/fetched-{port}"
            with open(f"{t.dir}/fetchmailrc", "w") as f:
                os.chmod(f.name, 0o600)
                f.write(f"poll localhost protocol pop3 service {port} uidl user bob password tayori {more} sslcertck sslcertfile {t.dir}/tls/ca.pem\n"
                        f"  no keep mda \"cat >>{out}\"\n")
            r = run("fetchmail", "-f", f.name, "--nodetach", "--nosyslog", "-i", f"{t.dir}/fetchids", "--pidfile", f"{t.dir}/fetchmail.pid",
                    env=dict(os.environ, FETCHMAILHOME=t.dir))
            assert r.returncode == 0, r.stdout + r.stderr
            with open(out) as f:
                assert re.findall(r"(?m)^\.letter \d", f.read()) == [".letter 0", ".letter 1", ".letter 2"]
            assert t.fetch("bob") == []


def test_mpop():
    need("mpop")
    with Instance() as t:
        for port, starttls, auth in (t.pop3s, "off", "plain"), (t.pop3, "on", "user"), (t.pop3s, "off", "login"):
            fill(t)
            box = tempfile.mkdtemp(dir=t.dir)
            for sub in "tmp", "new", "cur":
                os.mkdir(f"{box}/{sub}")
            args = ["mpop", "--file=/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-starttls={starttls}", f"--tls-trust-file={t.dir}/tls/ca.pem",
                    f"--auth={auth}", "--user=bob", "--passwordeval=echo tayori", f"--delivery=maildir,{box}", f"--uidls-file={box}/uidls"]
            # kept ones are not fetched twice
            for keep, n in ("on", 3), ("on", 3), ("off", 3):
                r = run(*args, f"--keep={keep}")
                assert r.returncode == 0, r.stderr
                assert len(os.listdir(f"{box}/new")) == n
            for name in os.listdir(f"{box}/new"):
                with open(f"{box}/new/{name}") as f:
                    assert re.search(r"(?m)^\.letter \d$", f.read())
            assert t.fetch("bob") == []


# ---- our commands ----

def test_sendmail():
    text = "From: alice@example.test\nTo: Bob <bob@example.test>\nCc: \"A, lice\" <alice@example.test> (her)\nBcc: postmaster@example.test\n" \
           "Subject: t\n\nfirst\n.\nlast\n"
    with Instance() as t:
        def sendmail(*args, input=text, check=True):
            return t.ctl("sendmail", *args, input=input, check=check)
        # -t: all of To, Cc and Bcc, each once (postmaster is alice); Bcc is gone; without -i a dot ends it
        sendmail("-t", "-f", "alice@example.test")
        got = sent_to_bob(t, "first")
        assert b"last" not in got and b"Bcc" not in got and b"postmaster" not in got, got
        assert len(t.fetch("alice", wait=1)) == 1
        sendmail("-i", "-f", "alice@example.test", "bob")  # of myorigin
        got = sent_to_bob(t, "last")
        assert b"\r\n.\r\nlast" in got and b"Bcc" in got, got
        sendmail("-oi", "-f", "", "--", "bob@example.test")
        got = t.fetch("bob", wait=1)[0]
        assert got.startswith(b"Return-Path: <>\r\n"), got
        # the caller's name; what is missing is added; no newline at the end
        sendmail("-F", "A Person", "bob@example.test", input="Subject: s\n\nno end")
        got = t.fetch("bob", wait=1)[0]
        name = pwd.getpwuid(os.geteuid()).pw_name.encode()
        assert got.startswith(b"Return-Path: <%s@example.test>" % name) and b'From: "A Person" <%s' % name in got and got.endswith(b"\r\nno end\r\n"), got
        assert re.search(rb"(?m)^Message-ID: <", got) and re.search(rb"(?m)^Date: ", got)
        # no header at all; CRLF line ends are line ends
        sendmail("-f", "alice@example.test", "bob@example.test", input="just text\r\nof two lines\r\n")
        assert sent_to_bob(t, "just").endswith(b"\r\n\r\njust text\r\nof two lines\r\n")
        sendmail("-f", "alice@example.test", "bob@example.test", input="")
        assert len(t.fetch("bob", wait=1)) == 1
        # exit statuses of sysexits.h
        for args, status in ((("nobody@example.test",), 67), (("-Z",), 64), ((), 64), (("x y@",), 65), (("a\r\nDATA@b",), 65)):
            r = sendmail(*args, check=False)
            assert r.returncode == status and "sendmail: " in r.stderr, (args, r)
        # one of two is bad: the other gets it, and the caller hears of it
        r = sendmail("-f", "alice@example.test", "nobody@example.test", "bob@example.test", check=False)
        assert r.returncode == 67 and "nobody" in r.stderr, r
        sent_to_bob(t, "first")
        # -bs: SMTP over standard input
        talk = "EHLO here\r\nMAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: bs\r\n\r\nby bs\r\n.\r\nQUIT\r\n"
        r = sendmail("-bs", input=talk)
        assert re.findall(r"(?m)^(\d\d\d) ", r) == ["220", "250", "250", "250", "354", "250", "221"], r
        sent_to_bob(t, "by bs")
        assert "Mail queue is empty" in t.ctl("sendmail", "-bp")
        t.ctl("sendmail", "-q")
        t.stop()
        r = sendmail("bob@example.test", check=False)
        assert r.returncode == 75 and "not run" in r.stderr, r


def test_sendmail_of_others():
    """Any user of this host may send; the log and the header say who."""
    if not ROOT:
        raise Skip("needs root")
    with Instance() as t:
        r = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{BUILD}/bin/sendmail", "-C", f"{t.dir}/etc", "-t", input="To: bob\nSubject: n\n\nby nobody\n")
        assert r.returncode == 0, r
        got = t.fetch("bob", wait=1)[0]
        assert got.startswith(b"Return-Path: <nobody@example.test>"), got


def test_queue_tools():
    with Instance(main="defer_transports = virtual") as t:
        for i in range(3):
            t.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input=f"Subject: {i}\n\nletter {i}\n")
        until(lambda: "3 Requests" in t.ctl("mailq"))
        assert t.ctl("mailq") == t.ctl("postqueue", "-p") == t.ctl("sendmail", "-bp") == t.ctl("tayori", "queue", "list")
        rows = [json.loads(x) for x in t.ctl("postqueue", "-j").splitlines()]
        assert len(rows) == 3 and all(r["sender"] == "alice@example.test" and r["recipients"][0]["address"] == "bob@example.test" for r in rows), rows
        ids = [r["queue_id"] for r in rows]
        text = t.ctl("postcat", "-q", ids[0])
        assert "letter" in text and "alice@example.test" in text and "bob@example.test" in text
        assert "letter" not in t.ctl("postcat", "-qe", ids[0]) and "ENVELOPE" not in t.ctl("postcat", "-qb", ids[0])
        assert t.ctl("tayori", "queue", "show", ids[0]) == text

        def states():
            return {r["queue_id"]: r["queue_name"] for r in map(json.loads, t.ctl("postqueue", "-j").splitlines())}
        t.ctl("postsuper", "-h", ids[0])
        assert states()[ids[0]] == "hold" and ids[0] + "!" in t.ctl("mailq")
        t.ctl("postsuper", "-H", ids[0])
        until(lambda: states()[ids[0]] == "deferred")
        t.ctl("postsuper", "-h", "ALL")
        assert set(states().values()) == {"hold"}
        t.ctl("postsuper", "-d", ids[0])
        t.ctl("postsuper", "-d", "-", input=ids[1] + "\n")
        assert list(states()) == [ids[2]]
        for args in ("-d", ids[0]), ("-h", "0" * 16), ("-d", "nonsense"), ("-x",), ():
            r = t.ctl("postsuper", *args, check=False)
            assert r.returncode and "postsuper: " in r.stderr, (args, r)
        for bad in ids[0], "../../etc/passwd", "":
            assert t.ctl("postcat", "-q", bad, check=False).returncode
        # the transport comes back: flush of one, or requeue, delivers
        t.ctl("postconf", "-e", "defer_transports=")
        t.ctl("tayori", "reload")
        t.ctl("postqueue", "-f")
        assert list(states()) == [ids[2]] and t.fetch("bob") == []  # held mail stays
        t.ctl("postsuper", "-r", ids[2])
        assert b"letter" in t.fetch("bob", wait=1)[0]
        until(lambda: "empty" in t.ctl("mailq"))


def test_queue_tools_of_stopped_suite():
    with Instance(main="defer_transports = virtual") as t:
        for i in range(2):
            t.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input=f"Subject: {i}\n\nletter {i}\n")
        until(lambda: "2 Requests" in t.ctl("mailq"))
        t.stop()
        rows = [json.loads(x) for x in t.ctl("postqueue", "-j").splitlines()]
        ids = [r["queue_id"] for r in rows]
        assert len(ids) == 2 and "2 Requests" in t.ctl("mailq")
        assert "letter" in t.ctl("postcat", "-q", ids[0])
        t.ctl("postsuper", "-h", ids[0])
        t.ctl("postsuper", "-d", ids[1])
        rows = [json.loads(x) for x in t.ctl("postqueue", "-j").splitlines()]
        assert [(r["queue_id"], r["queue_name"]) for r in rows] == [(ids[0], "hold")], rows
        t.ctl("postsuper", "-r", ids[0])
        t.ctl("postconf", "-e", "defer_transports=")
        t.quickstart()
        t.ctl("postsuper", "-H", "ALL")
        assert b"letter" in t.fetch("bob", wait=1)[0]


def test_other_users_and_the_queue():
    """Whoever is neither root nor in the group may list the queue, as with Postfix, but not read or change it."""
    if not ROOT:
        raise Skip("needs root")
    with Instance(main="defer_transports = virtual") as t:
        t.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input="Subject: s\n\nsecret\n")
        until(lambda: "1 Request" in t.ctl("mailq"))
        queue_id = json.loads(t.ctl("postqueue", "-j"))["queue_id"]

        def nobody(command, *args):
            return run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{BUILD}/bin/{command}", "-c", f"{t.dir}/etc", *args)
        assert queue_id in nobody("mailq").stdout
        assert nobody("postqueue", "-f").returncode == 0
        for command in ("postcat", "-q", queue_id), ("postsuper", "-d", queue_id), ("postsuper", "-h", "ALL"), ("tayori", "stop"), ("tayori", "status"), ("tayori", "user", "list"):
            r = nobody(*command)
            assert r.returncode and "secret" not in r.stdout and r.stderr.startswith(command[0]), (command, r)
        assert queue_id in t.ctl("mailq") and "hold" not in t.ctl("postqueue", "-j")


def test_postmap():
    with Instance(start=False) as t:
        path = f"{t.dir}/table"
        with open(path, "w") as f:
            f.write("# comment\none@example.test  first value\n  goes on\nTWO two\nthree 便り\n")
        t.ctl("postmap", path)
        told = t.ctl("postmap", "-q", "one@example.test", path)
        assert told.split() == ["first", "value", "goes", "on"], told
        assert t.ctl("postmap", "-q", "two", "lmdb:" + path) == "two\n"
        assert t.ctl("postmap", "-q", "three", "texthash:" + path) == "便り\n"
        assert t.ctl("postmap", "-q", "none", path, check=False).returncode == 1
        assert json.loads(t.ctl("postmap", "-j", "-q", "three", path)) == {"key": "three", "value": "便り"}
        assert sorted(x.split("\t")[0] for x in t.ctl("postmap", "-s", path).splitlines()) == ["one@example.test", "three", "two"]
        assert t.ctl("postmap", "-q", "10.1.2.3", "cidr:" + path, check=False).returncode
        assert t.ctl("postmap", "-q", "k", "inline:{k=v}") == "v\n"
        assert t.ctl("postmap", "-q", "root", "unix:passwd.byname").startswith("root:x:0:0:")
        assert t.ctl("postmap", "-q", "root", "unix:group.byname").startswith("root:x:0:")
        with open(f"{t.dir}/rows", "w") as f:
            f.write("/^(.*)@old$/ $1@new\nif /x/\n!/y/i REJECT\nendif\n")
        with open(f"{t.dir}/nets", "w") as f:
            f.write("192.0.2.0/25 near\n::/0 far\n")
        pcre, nets = f"pcre:{t.dir}/rows", f"cidr:{t.dir}/nets"
        assert t.ctl("postmap", "-q", "-", pcre, nets, input="Me@OLD\nnone\n192.0.2.1\n") == "Me@OLD\tMe@new\n192.0.2.1\tnear\n"
        assert t.ctl("postmap", "-q", "-", pcre, input="none\n\n", check=False).returncode == 1
        assert t.ctl("postmap", "-s", pcre) == "/^(.*)@old$/\t$1@new\n!/y/i\tREJECT\n"
        assert t.ctl("postmap", "-s", nets) == "192.0.2.0/25\tnear\n::/0\tfar\n"
        r = t.ctl("postmap", "-q", "a", "fail:why", check=False)
        assert r.returncode == 75 and "fails for every key" in r.stderr, r
        assert t.ctl("postmap", "-s", "static:x", check=False).returncode
        for bad in f"{t.dir}/none", "nonsense:x", f"{t.dir}/none/x":
            r = t.ctl("postmap", bad, check=False)
            assert r.returncode and r.stderr.startswith("postmap: "), r
        # a table that is compiled anew counts without reload
        with open(f"{t.dir}/etc/main.cf", "a") as f:
            f.write(f"virtual_alias_maps = lmdb:{path}\n")
        os.chmod(path + ".lmdb", 0o644)
        t.quickstart()
        assert t.send("a@b.test", ["bob@example.test", "new@example.test"], b"x: y\r\n\r\n")["new@example.test"][0] == 550
        with open(path, "a") as f:
            f.write("new@example.test bob@example.test\n")
        t.ctl("postmap", path)
        until(lambda: not t.send("a@b.test", ["bob@example.test", "new@example.test"], b"x: y\r\n\r\n"), 60, 0.5)


def test_postconf():
    with Instance(start=False) as t:
        assert t.ctl("postconf", "mydomain") == "mydomain = example.test\n"
        assert t.ctl("postconf", "-h", "mydomain") == "example.test\n"
        assert t.ctl("postconf", "-d", "smtpd_timeout") == "smtpd_timeout = 5m\n"
        assert "smtpd_timeout" not in t.ctl("postconf", "-n") and "mydomain = " in t.ctl("postconf", "-n")
        assert len(t.ctl("postconf").splitlines()) == len(t.ctl("postconf", "-d").splitlines()) > 50
        with open(f"{t.dir}/etc/main.cf") as f:
            before = f.read()
        t.ctl("postconf", "-e", "smtpd_timeout = 7m", "mydomain=other.test")
        with open(f"{t.dir}/etc/main.cf") as f:
            after = f.read()
        assert after == before.replace("mydomain = example.test", "mydomain = other.test") + "smtpd_timeout = 7m\n", after
        assert {p["name"]: p["value"] for p in json.loads(t.ctl("postconf", "-j"))}["smtpd_timeout"] == "7m"
        for bad, told in ("smtpd_timeout=soon", "smtpd_timeout"), ("smtpd_timeuot=1m", "did you mean smtpd_timeout"), ("nothing", "name=value"):
            r = t.ctl("postconf", "-e", bad, check=False)
            assert r.returncode and told in r.stderr, r
        r = t.ctl("postconf", "mydomian", check=False)
        assert r.returncode and "did you mean mydomain" in r.stderr, r
        assert t.ctl("postconf", "-M").count("smtpd") >= 4


def can_login(t, user, password):
    try:
        c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=30)
        c.user(user)
        c.pass_(password)
        c.quit()
    except poplib.error_proto:
        return False
    with smtplib.SMTP_SSL("localhost", t.smtps, context=t.context(), local_hostname="c.test") as c:
        c.login(user, password)
    return True


def can_send_to(t, address):
    with t.smtp_client() as c:
        c.ehlo()
        c.mail("a@remote.test")
        return c.rcpt(address)[0]


def test_users():
    """Each change counts at once, without a reload."""
    with Instance(main="auth_failure_delay = 0") as t:
        def user(*args, input=None, check=True):
            return t.ctl("tayori", "user", *args, input=input, check=check)
        mode = os.stat(f"{t.dir}/etc/users")
        assert not can_login(t, "carol", "first")
        user("add", "carol", "--password-stdin", input="first\n")
        assert can_login(t, "carol", "first") and can_login(t, "carol@example.test", "first") and not can_login(t, "carol", "second")
        until(lambda: can_send_to(t, "carol@example.test") == 250, 60)
        user("passwd", "carol@example.test", "--password-stdin", input="sec:ond 便り\n")
        assert can_login(t, "carol", "sec:ond 便り") if hasattr(poplib, "utf8") else not can_login(t, "carol", "first")
        user("passwd", "carol", "--password-stdin", input="with blank \n")
        assert can_login(t, "carol", "with blank ")
        assert user("list").split() == ["alice@example.test", "bob@example.test", "carol@example.test"]
        assert [u["user"] for u in json.loads(user("list", "--json"))][2] == "carol@example.test"
        user("delete", "carol")
        assert not can_login(t, "carol", "with blank ")
        until(lambda: can_send_to(t, "carol@example.test") == 550, 60)
        now = os.stat(f"{t.dir}/etc/users")
        assert (now.st_mode, now.st_uid, now.st_gid) == (mode.st_mode, mode.st_uid, mode.st_gid)
        for args in ("add", "alice"), ("passwd", "nobody"), ("delete", "nobody"), ("add", "a/b"), ("add", "x:y"), ("add", ".."), ("add",), ("frobnicate", "x"):
            r = user(*args, input="p\n", check=False)
            assert r.returncode and r.stderr, (args, r)
        assert user("add", "empty", "--password-stdin", input="\n", check=False).returncode
        assert user("list").split() == ["alice@example.test", "bob@example.test"]


def test_tayori():
    with Instance() as t:
        assert "no mistakes" in t.ctl("tayori", "check")
        # the quick start waits for who listens; others may be starting still, which status tells by its result
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0, 60)
        before = t.pids()
        assert {"smtpd", "qmgr", "pop3d", "authd", "keyd", "lookupd", "local", "logd"} <= set(before)
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0, 60)  # those whom nobody has asked yet may be starting
        table = t.ctl("tayori", "status")
        assert table.startswith("service ") and "ready" in table
        assert "" == t.ctl("tayori", "reload")
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0, 60)
        after = t.pids()
        changed = [d for d in before if before[d] != after[d]]
        assert not set(changed) - {"keyd", "lookupd"}, (changed, before, after)
        for bad in (), ("frobnicate",), ("status", "--xml"), ("reload", "now"):
            assert t.ctl("tayori", *bad, check=False).returncode == 64, bad
        assert "stopping" in t.ctl("tayori", "stop")
        until(lambda: not any(os.path.exists(f"/proc/{p}") for pids in before.values() for p in pids))
        for verb in "status", "reload", "stop":
            r = t.ctl("tayori", verb, check=False)
            assert r.returncode == 75 and "does not run" in r.stderr, r
        r = run(f"{BUILD}/bin/tayori", "-c", "/nonexistent", "check")
        assert r.returncode and "/nonexistent" in r.stderr, r


# ---- other mail servers deliver to us ----

def letters():
    """What other servers shall bring us whole."""
    head = "From: a@remote.test\r\nTo: bob@example.test\r\nDate: Mon, 1 Jan 2024 10:00:00 +0900\r\nMessage-ID: <%d@r>\r\nSubject: %d\r\n\r\n"
    bodies = ".\r\n..\r\n.x\r\n", "便り\r\n" * 10, "x" * 900 + "\r\n", "line\r\n" * 30000, ""
    return [(head % (i, i) + body).encode() for i, body in enumerate(bodies)]


def check_brought(t, want):
    got = [m[m.rindex(b"From: a@remote.test"):] for m in t.fetch("bob", wait=len(want))]
    assert sorted(got) == sorted(want), (len(got), [g[:300] for g in got])
    assert len(re.findall(r"with cipher TLS_", t.log())) >= 1
    return got


def test_postfix():
    """Debian's Postfix, in folders of its own, relays to our MX port and insists on TLS with our name."""
    need("postfix")
    if not ROOT:
        raise Skip("needs root")
    with Instance() as t, tempfile.TemporaryDirectory(prefix="tayori-postfix-") as d:
        os.chmod(d, 0o755)
        for sub, owner in ("etc", "root"), ("queue", "root"), ("data", "postfix"):
            os.mkdir(f"{d}/{sub}")
            shutil.chown(f"{d}/{sub}", owner)
        port = t.base + 2
        with open(f"{d}/etc/main.cf", "w") as f:
            f.write(f"compatibility_level = 3.6\nqueue_directory = {d}/queue\ndata_directory = {d}/data\nmyhostname = relay.test\nmydestination =\n"
                    f"inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nrelayhost = [127.0.0.1]:{t.smtp}\n"
                    f"smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = mail.example.test\nsmtp_tls_CAfile = {t.dir}/tls/ca.pem\nsmtp_tls_loglevel = 1\n"
                    f"maillog_file = {d}/log\nmaillog_file_prefixes = {d}\nalias_maps =\nalias_database =\nmessage_size_limit = 0\nmailbox_size_limit = 0\n")
        with open(f"{d}/etc/master.cf", "w") as f:
            f.write(POSTFIX_SERVICES.format(smtp=f"127.0.0.1:{port}"))
        r = run("/usr/sbin/postfix", "-c", f"{d}/etc", "start")

        def log():
            with open(f"{d}/log", errors="replace") as f:
                return f.read()
        try:
            assert r.returncode == 0, r.stdout + r.stderr + (log() if os.path.exists(f"{d}/log") else "")
            want = letters()
            for letter in want:
                t.send("a@remote.test", ["bob@example.test"], letter, port=port)
            try:
                check_brought(t, want)
            except AssertionError:
                sys.stderr.write(log()[-3000:])
                raise
            assert "Verified TLS connection established" in log(), log()
            assert log().count("status=sent (250 2.0.0 Ok: queued as") == len(want), log()
            # one good and one bad recipient, pipelined
            t.send("", ["bob@example.test", "nobody@example.test"], want[0], port=port)
            until(lambda: "550 5.1.1 <nobody@example.test>" in log())
            check_brought(t, want[:1])
        finally:
            run("/usr/sbin/postfix", "-c", f"{d}/etc", "stop")


EXIM = """
exim_user = exim
exim_group = exim
primary_hostname = relay.test
spool_directory = {d}
log_file_path = {d}/log-%s
keep_environment =
add_environment =
deliver_drop_privilege = true
never_users =
allow_mx_to_ip = true
exim_path = {binary}
message_size_limit = 0
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1::{port}
  transport = out
  self = send
begin transports
out:
  driver = smtp
  hosts_require_tls = *
  tls_verify_certificates = {ca}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
  allow_localhost
  message_linelength_limit = 100000
begin retry
* * F,1h,2s
"""


def test_exim():
    """Debian's Exim delivers to our MX port and insists on TLS."""
    if not ROOT:
        raise Skip("needs root")
    binary = exim_binary()
    with Instance() as t, tempfile.TemporaryDirectory(prefix="tayori-exim-") as d:
        os.chmod(d, 0o755)
        with open(f"{d}/conf", "w") as f:
            f.write(EXIM.format(binary=binary, d=d + "/spool", port=t.smtp, ca=f"{t.dir}/tls/ca.pem"))
        os.mkdir(f"{d}/spool")
        os.chown(f"{d}/spool", USERS["exim"], USERS["exim"])
        with_users(d)

        def exim(*args, **kw):
            command = bound({"/etc/passwd": f"{d}/passwd", "/etc/group": f"{d}/group"}, binary, "-C", f"{d}/conf", *args)
            return subprocess.run(["unshare", "-m", *command], capture_output=True, timeout=60, **kw)

        def log():
            return "".join(open(p, errors="replace").read() for p in sorted(glob.glob(f"{d}/spool/log-*")))
        want = letters()
        for letter in want:
            r = exim("-odf", "-oi", "-f", "a@remote.test", "bob@example.test", input=letter.replace(b"\r\n", b"\n"))
            assert r.returncode == 0, (r, log())
        try:
            check_brought(t, want)
        except AssertionError:
            sys.stderr.write(log()[-3000:])
            raise
        assert log().count("Completed") == len(want) and log().count("X=TLS1.3") == len(want) and log().count("CV=yes") == len(want), log()
        # a queue run sends several over one connection
        for letter in want:
            exim("-odq", "-oi", "-f", "a@remote.test", "bob@example.test", input=letter.replace(b"\r\n", b"\n"))
        exim("-q")
        check_brought(t, want)
        assert "defer" not in log() and "lost" not in log(), log()


if __name__ == "__main__":
    suite.main()
