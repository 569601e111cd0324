#!/usr/bin/env python3
"""Configuration: mistakes are named and harm nobody, changes reach those who run."""
import os
import poplib
import re
import signal
import socket
import ssl
import subprocess
import time

import suite
from suite import BUILD, ROOT, Instance, Skip, Wire, run, until


def add(t, main="", master=""):
    for name, text in ("main.cf", main), ("master.cf", master):
        with open(f"{t.dir}/etc/{name}", "a") as f:
            f.write(text)


def put(t, name, text):
    with open(f"{t.dir}/etc/{name}", "w") as f:
        f.write(text)


def get(t, name):
    with open(f"{t.dir}/etc/{name}") as f:
        return f.read()


def check(t):
    """What 'tayori check' says, and what master does when it is started by hand: they must agree."""
    r = t.ctl("tayori", "check", check=False)
    told = r.stdout + r.stderr
    if r.returncode:
        m = run(f"{BUILD}/libexec/master", "-c", f"{t.dir}/etc", timeout=60)
        assert m.returncode == r.returncode == 78 and "not started" in m.stderr, (r, m)
        for line in r.stderr.splitlines():
            assert line in m.stderr, (line, m.stderr)
    return r.returncode, told


def test_misspelt():
    with Instance(start=False) as t:
        at = get(t, "main.cf").count("\n") + 1
        add(t, "smtpd_timeuot = 5m\nrecipient_delimeter = -\nfrobnicate = 1\nhelper = x\nsmtpd_banner = $myhostname ESMTP $helper\n")
        code, told = check(t)
        assert code == 0
        assert f"main.cf:{at}: warning: smtpd_timeuot: no such parameter; did you mean smtpd_timeout?" in told, told
        assert f"main.cf:{at + 1}: warning: recipient_delimeter: no such parameter; did you mean recipient_delimiter?" in told, told
        assert f"main.cf:{at + 2}: warning: frobnicate: no such parameter\n" in told, told
        assert "helper" not in told, "a name of one's own that is used is no mistake"


def test_bad_values():
    """All of them at once, each with its place and what would be right."""
    with Instance(start=False) as t:
        at = get(t, "main.cf").count("\n") + 1
        add(t, "smtpd_timeout = soon\nmessage_size_limit = huge\nsmtpd_recipient_limit = -3\nsmtpd_sasl_auth_enable = perhaps\nqueue_minfree = 1Z\nhopcount_limit = 1000000\n"
               "header_size_limit =\nsmtpd_hard_error_limit = 5 # not a comment\nhome_mailbox = $nothing\n")
        code, told = check(t)
        assert code == 78
        for line, name, hint in ((0, "smtpd_timeout", "30s"), (1, "message_size_limit", "50M"), (2, "smtpd_recipient_limit", ""), (3, "smtpd_sasl_auth_enable", "yes"),
                                 (4, "queue_minfree", "512K"), (5, "hopcount_limit", "1000"), (6, "header_size_limit", ""), (7, "smtpd_hard_error_limit", "")):
            found = re.search(rf"(?m)^main.cf:{at + line}: error: {name}: (.*)", told)
            assert found and hint in found[1], (name, told)


def test_bad_master():
    with Instance(start=False) as t:
        at = get(t, "master.cf").count("\n") + 1
        add(t, master="bad line\n127.0.0.1:1 inet n - y - 1 smtdp\n127.0.0.1:99999 inet n - y - 1 smtpd\n  -o smtpd_service=mxx\n  -o smtpd_timeuot=1m\nfoo bar n - y - 1 smtpd\n")
        code, told = check(t)
        assert code == 78
        for line, what in (at, "error: .*eight columns"), (at + 1, "warning: smtdp: no such daemon"), (at + 2, "error: smtpd_service: 'mxx'"), (at + 2, "warning: .*did you mean smtpd_timeout"), (at + 5, "error: .*inet or unix"):
            assert re.search(rf"(?m)^master.cf:{line}: {what}", told), (line, told)


def test_no_configuration():
    with Instance(start=False) as t:
        for folder in "/nonexistent", f"{t.dir}/etc/main.cf", f"{t.dir}/log":
            r = run(f"{BUILD}/libexec/master", "-c", folder, timeout=60)
            assert r.returncode == 78 and folder in r.stderr, r
            r = run(f"{BUILD}/bin/tayori", "-c", folder, "check")
            assert r.returncode == 78 and folder in r.stderr, r
        for bad in ("-x",), ("-c",):
            assert run(f"{BUILD}/libexec/master", *bad, timeout=60).returncode == 64
        put(t, "master.cf", "# nothing\n")
        assert check(t)[0] == 78
        put(t, "main.cf", "\0\1\2" * 1000 + "\nx" * 1000)
        assert check(t)[0] == 78


def test_twice():
    with Instance() as t:
        before = t.pids()
        r = run(f"{BUILD}/libexec/master", "-c", f"{t.dir}/etc", timeout=60)
        assert r.returncode and "another master runs" in r.stderr, r
        assert t.pids() == before
        t.send("a@b.test", ["bob@example.test"], b"Subject: x\r\n\r\n")
        # a second one elsewhere that wants the same port
        other = f"{t.dir}/other"
        os.makedirs(f"{other}/etc")
        for name in "main.cf", "master.cf":
            with open(f"{other}/etc/{name}", "w") as f:
                f.write(get(t, name).replace(f"{t.dir}/run", f"{other}/run").replace(f"{t.dir}/log", f"{other}/log"))
        r = run(f"{BUILD}/libexec/master", "-c", f"{other}/etc", timeout=60)
        assert r.returncode and f"cannot listen on 127.0.0.1:{t.base}"[:-2] in r.stderr and "in use" in r.stderr, r
        assert len(t.fetch("bob", wait=1)) == 1


def test_missing_folders():
    """They are made, with the owners they need; where that cannot be, the log says which one."""
    with Instance(start=False) as t:
        put(t, "main.cf", get(t, "main.cf").replace(f"{t.dir}/queue", f"{t.dir}/new-queue").replace(f"{t.dir}/mail", f"{t.dir}/new-mail"))
        t.quickstart()
        t.send("a@b.test", ["bob@example.test"], b"Subject: x\r\n\r\n")
        assert len(t.fetch("bob", wait=1)) == 1
        for folder in "queue", "mail":
            assert os.stat(f"{t.dir}/new-{folder}").st_mode & 0o077 == 0
    with Instance(start=False) as t:
        put(t, "main.cf", re.sub(r"(queue_directory = .*)", r"\1/a/b/c", get(t, "main.cf")))
        t.quickstart()
        t.wait_log(rf"error: .*{t.dir}/queue/a/b/c: No such file or directory")
        with t.smtp_client() as c:  # the rest serves, and nothing is taken that could not be kept
            assert c.docmd("EHLO x")[0] == 250 and c.mail("a@b.test")[0] in (250, 451)
            assert c.rcpt("bob@example.test")[0] in (451, 503)
        os.makedirs(f"{t.dir}/queue/a/b/c")
        if ROOT:
            run("chown", "-R", "tayori-queue:tayori-queue", f"{t.dir}/queue")
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0, 40, 0.2)
        t.send("a@b.test", ["bob@example.test"], b"Subject: x\r\n\r\n")


def test_renewed_certificates():
    """Certificate and key are replaced on disk: new connections get the new one, and who is connected stays so. Only root may read the key."""
    with Instance(main="certificate_check_interval = 1s\n") as t:
        tls = f"{t.dir}/tls"
        assert not ROOT or (os.stat(f"{tls}/key.pem").st_uid, os.stat(f"{tls}/key.pem").st_mode & 0o077) == (0, 0)

        def shown():
            return ssl.get_server_certificate(("127.0.0.1", t.smtps))
        first = shown()
        old = t.smtp_client(t.submission, tls=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-days", "9",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{tls}/key.new", "-out", f"{tls}/cert.new")
        for name in "key", "cert":
            os.rename(f"{tls}/{name}.new", f"{tls}/{name}.pem")

        def renewed():
            try:
                return shown() != first
            except OSError:
                return False
        until(renewed, 60, 0.2)
        assert old.noop()[0] == 250
        old.quit()


def test_bad_certificates():
    """Without a usable certificate TLS is not offered, passwords are not taken, the log says why; mail still comes in."""
    def spoil(name, text=None):
        def act(t):
            path = f"{t.dir}/tls/{name}"
            if text is None:
                os.rename(path, path + ".away")
            else:
                with open(path, "w") as f:
                    f.write(text)
        return act

    def other_key(t):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{t.dir}/tls/key.pem")

    for act, told in ((spoil("key.pem"), "key.pem: open: No such file"), (spoil("cert.pem", "hello\n"), "cert.pem: no certificate"), (spoil("key.pem", ""), "key.pem: "),
                      (other_key, "key.pem: it is not the key of"), (spoil("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "key.pem: ")):
        with Instance(start=False) as t:
            act(t)
            t.quickstart()
            t.wait_log(re.escape(told))
            t.wait_log("TLS is not offered")
            with Wire(t.submission) as w:
                w.reply()
                assert not re.search("STARTTLS|AUTH", w.cmd("EHLO x")[1]) and w.cmd("MAIL FROM:<alice@example.test>")[0] == 530
            with Wire(t.smtps) as w:
                assert w.rest() == b""
            t.send("a@b.test", ["bob@example.test"], b"Subject: x\r\n\r\n")
            t.wait_log("status=sent")
            # repaired: a reload is enough
            run("cp", f"{t.dir}/tls/key.pem.away", f"{t.dir}/tls/key.pem")
            run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{t.dir}/tls/key.pem")
            run("openssl", "req", "-x509", "-new", "-key", f"{t.dir}/tls/key.pem", "-subj", "/CN=localhost", "-days", "9", "-out", f"{t.dir}/tls/cert.pem", "-addext", "subjectAltName=DNS:localhost")
            run("cp", f"{t.dir}/tls/cert.pem", f"{t.dir}/tls/ca.pem")
            t.ctl("tayori", "reload")

            def works():
                try:
                    return len(t.fetch("bob")) == 1
                except (OSError, EOFError, poplib.error_proto):
                    return False
            until(works, 60, 0.2)


def login_refusal(t):
    try:
        t.pop3_client()
    except poplib.error_proto as e:
        return e.args[0]
    raise AssertionError("a login without users")


def test_missing_tables():
    """Trouble with a table is a 4xx for those whom it concerns, and named in the log; it heals without a reload."""
    with Instance(main="auth_failure_delay = 0", start=False) as t:
        os.rename(f"{t.dir}/etc/users", f"{t.dir}/etc/users.away")
        t.quickstart()
        t.wait_log(rf"{t.dir}/etc/users: .*No such file")
        with t.smtp_client() as c:
            c.ehlo()
            c.mail("a@b.test")
            code, told = c.rcpt("bob@example.test")
            assert code == 451, (code, told)
            assert c.rcpt("x@elsewhere.test")[0] in (451, 554)
        assert b"[SYS/TEMP]" in login_refusal(t)
        with Wire(t.smtps, tls=t.context()) as w:
            w.reply()
            w.cmd("EHLO x")
            assert w.cmd("AUTH PLAIN AGFsaWNlAHRheW9yaQ==")[0] == 454
        if ROOT:  # there, but not to be read
            os.chmod(f"{t.dir}/etc/users.away", 0)
        os.rename(f"{t.dir}/etc/users.away", f"{t.dir}/etc/users")
        if ROOT:
            assert b"[SYS/TEMP]" in login_refusal(t)
            t.wait_log("must be able to read it")
            os.chmod(f"{t.dir}/etc/users", 0o640)

        def accepted():
            with t.smtp_client() as c:
                c.ehlo()
                c.mail("a@b.test")
                return c.rcpt("bob@example.test")[0] == 250
        until(accepted, 60, 0.1)
        assert t.fetch("bob") == []
    # mail that waits for a user is not returned because the file is away
    with Instance(main="defer_transports = virtual\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s") as t:
        t.send("alice@example.test", ["bob@example.test"], b"Subject: waits\r\n\r\n")
        t.wait_log("status=deferred")
        t.stop()
        os.rename(f"{t.dir}/etc/users", f"{t.dir}/etc/users.away")
        t.ctl("postconf", "-e", "defer_transports=")
        t.quickstart()
        t.wait_log(r"status=deferred \(the user database does not answer")
        os.rename(f"{t.dir}/etc/users.away", f"{t.dir}/etc/users")
        assert b"Subject: waits" in t.fetch("bob", wait=1)[0]
        assert "status=bounced" not in t.log()
    with Instance(virtual="onlykey\n@@@ x\nloop@example.test loop2@example.test\nloop2@example.test loop@example.test\nlist@example.test bob@example.test,\n\talice@example.test\n") as t:
        t.wait_log("virtual: line 2: has no value")
        t.send("a@b.test", ["list@example.test"], b"Subject: x\r\n\r\n")
        assert len(t.fetch("bob", wait=1)) == len(t.fetch("alice", wait=1)) == 1
        with t.smtp_client() as c:
            c.ehlo()
            c.mail("a@b.test")
            assert c.rcpt("loop@example.test")[0] == 451
            assert c.rcpt("onlykey@example.test")[0] == 550
    with Instance(main="virtual_alias_maps = texthash:/nonexistent/table") as t:
        t.wait_log("texthash:/nonexistent/table")
        with t.smtp_client() as c:
            c.ehlo()
            c.mail("a@b.test")
            assert c.rcpt("bob@example.test")[0] == 451


def session(t, port=None):
    w = Wire(port or t.smtp)
    w.reply()
    w.cmd("EHLO c.test")
    return w


def finish(t, w):
    """The session is in order still: a letter goes through it."""
    for line, want in (b"MAIL FROM:<a@b.test>", 250), (b"RCPT TO:<bob@example.test>", 250), (b"DATA", 354), (b"Subject: x\r\n\r\n.", 250), (b"QUIT", 221):
        code, told = w.cmd(line)
        assert code == want, (line, code, told)


def steady(pids):
    return {d: p for d, p in pids.items() if d not in ("keyd", "lookupd")}


def test_reload():
    with Instance() as t:
        before, main = t.pids(), get(t, "main.cf")
        mx, login, pop = session(t), Wire(t.smtps, tls=t.context()), t.pop3_client("alice")
        login.reply()
        login.cmd("EHLO c.test")
        data = session(t)
        for line in "MAIL FROM:<a@b.test>", "RCPT TO:<bob@example.test>", "DATA":
            data.cmd(line)
        # bad: refused, named, nothing changes
        for bad in "smtpd_timeout = soon\n", "smtpd_banner = $myhostname new\nqueue_directory = relative\n":
            put(t, "main.cf", main + bad)
            r = t.ctl("tayori", "reload", check=False)
            assert r.returncode == 78 and re.search(r"main.cf:\d+: error: ", r.stderr), r
            t.wait_log("the old one stays in force")
        os.rename(f"{t.dir}/etc/master.cf", f"{t.dir}/etc/away")
        assert t.ctl("tayori", "reload", check=False).returncode == 78
        os.rename(f"{t.dir}/etc/away", f"{t.dir}/etc/master.cf")
        assert t.pids() == before
        with Wire(t.smtp) as w:
            assert "new" not in w.reply()[1]
        # good: new sessions see it, old ones live on
        put(t, "main.cf", main + "smtpd_banner = $myhostname new\nsmtpd_recipient_limit = 2\nmessage_size_limit = 100K\n")
        t.ctl("tayori", "reload")

        def new():
            with Wire(t.smtp) as w:
                return "new" in w.reply()[1] and "SIZE 102400" in w.cmd("EHLO x")[1]
        until(new)
        finish(t, mx)
        data.send(b"Subject: over a reload\r\n\r\n")
        assert data.cmd(".")[0] == 250
        login.send(b"AUTH PLAIN AGFsaWNlAHRheW9yaQ==\r\n")
        assert login.reply()[0] == 235
        assert pop.stat()[0] == 0
        pop.quit()
        with session(t) as w:
            w.cmd("MAIL FROM:<a@b.test>")
            codes = [w.cmd("RCPT TO:<bob@example.test>")[0] for _ in range(3)]
            assert codes == [250, 250, 452], codes
        assert len(t.fetch("bob", wait=2)) == 2
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0)
        assert steady(t.pids()) == steady(before)


def test_hup():
    with Instance() as t:
        before = t.pids()
        with open(f"{t.dir}/run/master.pid") as f:
            master = int(f.read())
        add(t, "smtpd_banner = $myhostname by signal\n")
        w = session(t)
        os.kill(master, signal.SIGHUP)

        def new():
            with Wire(t.smtp) as w:
                return "by signal" in w.reply()[1]
        until(new)
        finish(t, w)
        add(t, "smtpd_timeout = soon\n")
        os.kill(master, signal.SIGHUP)
        t.wait_log("the old one stays in force")
        for _ in range(30):  # many at once do no harm
            os.kill(master, signal.SIGHUP)
        assert len(t.fetch("bob", wait=1)) == 1
        assert steady(t.pids()) == steady(before)


def test_reload_under_load():
    """Nobody is told to come again because a daemon reads its tables anew."""
    with Instance() as t:
        with open(f"{t.dir}/run/master.pid") as f:
            master = int(f.read())
        for _ in range(20):
            w = session(t)
            w.cmd("MAIL FROM:<a@b.test>")
            os.kill(master, signal.SIGHUP)
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                code, told = w.cmd("RCPT TO:<bob@example.test>")
                assert code == 250 or told.startswith("4.5.3"), (code, told)
                time.sleep(0.001)
            code, told = w.cmd("DATA")
            assert code == 354
            assert w.cmd("Subject: x\r\n\r\n.")[0] == 250
            w.cmd("QUIT")
        assert len(t.fetch("bob", wait=20)) == 20


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_listeners():
    """A service that is added listens, one that is removed does not; the others do not notice."""
    with Instance() as t:
        before, master = t.pids(), get(t, "master.cf")
        extra, other = t.base + 3, t.base + 4
        w = session(t)
        put(t, "master.cf", master + f"127.0.0.1:{extra} inet n - y - 1 smtpd\n  -o smtpd_banner=extra\n127.0.0.1:{other} inet n - y - 1 pop3d\n")
        t.ctl("tayori", "reload")
        until(lambda: listens(extra) and listens(other))
        with Wire(extra) as x:
            assert "extra" in x.reply()[1]
        with Wire(other) as x:
            assert x.line().startswith(b"+OK")
        on_extra = session(t, extra)
        # a port that is taken: all or nothing
        put(t, "master.cf", master + f"127.0.0.1:{t.base + 5} inet n - y - 1 smtpd\n127.0.0.1:{t.base + 6} inet n - y - 1 smtpd\n")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", t.base + 6))
            taken.listen()
            r = t.ctl("tayori", "reload", check=False)
            assert r.returncode and f"127.0.0.1:{t.base + 6}" in r.stderr, r
            assert listens(extra) and not listens(t.base + 5)
        put(t, "master.cf", master)
        t.ctl("tayori", "reload")
        until(lambda: not listens(extra) and not listens(other))
        assert listens(t.smtp) and listens(t.pop3)
        finish(t, w)
        finish(t, on_extra)  # who came by that port may go on
        assert len(t.fetch("bob", wait=2)) == 2
        # a whole daemon leaves and comes back
        put(t, "master.cf", "\n".join(x for x in master.split("\n") if " pop3d" not in x and "front_tls" not in x))
        t.ctl("tayori", "reload")
        until(lambda: "pop3d" not in t.pids())
        assert not listens(t.pop3)
        put(t, "master.cf", master)
        t.ctl("tayori", "reload")
        until(lambda: listens(t.pop3) and t.ctl("tayori", "status", check=False).returncode == 0)
        assert t.fetch("bob") == []
        assert steady(t.pids())["qmgr"] == before["qmgr"]


if __name__ == "__main__":
    suite.main()
