#!/usr/bin/env python3
"""Mail to other hosts, without a name server: relayhosts by address, TLS by policy, logins, kept connections, reports."""
import contextlib
import os
import pwd
import re
import socket
import socketserver
import subprocess
import tempfile
import threading

import suite
from suite import Instance, until

FAR = "virtual_alias_domains = far.test"
LETTER = b"From: alice@example.test\r\nTo: x@far.test\r\nSubject: %s\r\n\r\n.dot\r\nline\r\n"


def submit(t, subject, to=("x@far.test",)):
    with t.smtp_client(t.submission, tls=True) as c:
        c.login("alice", "tayori")
        c.sendmail("alice@example.test", list(to), LETTER % subject.encode())


def far(more=""):
    return Instance(FAR + "\n" + more, virtual="x@far.test bob@example.test\ny@far.test bob@example.test\n")


def near(hop, more=""):
    return Instance(f"relayhost = {hop}\nminimal_backoff_time = 1s\n{more}")


def test_over_a_relayhost():
    with far() as b, near(f"[127.0.0.1]:{b.smtp}") as a:
        submit(a, "one")
        got = b.fetch("bob", wait=1)
        assert b"\r\n.dot\r\nline\r\n" in got[0] and got[0].count(b"Received: ") == 2, got
        a.wait_log(r"to=<x@far.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, .*status=sent \(250 2.0.0")
        # TLS was offered and taken, whosever certificate it is
        a.wait_log("Untrusted TLS connection established to 127.0.0.1")
        # one connection for what comes soon after
        for i in range(5):
            submit(a, f"more{i}")
        assert len(b.fetch("bob", wait=5)) == 5
        assert len(re.findall(r"smtpd\[\d+\]: connect from", b.log())) < 6
        until(lambda: "Mail queue is empty" in a.ctl("mailq"))


def test_tls_policies():
    """verify and secure: the certificate must be trusted and fit; what cannot be so waits, and mailq says why."""
    with far() as b:
        for level, works in ("encrypt", True), ("none", True), ("secure match=localhost", True), ("secure match=else.test", False), ("verify", True):
            hop = f"[127.0.0.1]:{b.smtp}"
            with near(hop, f"smtp_tls_CAfile = {b.dir}/tls/ca.pem\nsmtp_tls_policy_maps = inline:{{ {{{hop} = {level}}} }}") as a:
                submit(a, "p")
                if works:
                    b.fetch("bob", wait=1)
                else:
                    a.wait_log("status=deferred .Cannot start TLS")
                    assert "Cannot start TLS" in a.ctl("mailq")


def test_login_at_a_smarthost():
    with far() as b:
        for password in "wrong", "tayori":
            main = f"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{{ {{[127.0.0.1]:{b.submission} = alice:{password}}} }}"
            with near(f"[127.0.0.1]:{b.submission}", main) as a:
                submit(a, "login")
                if password == "wrong":
                    a.wait_log("status=deferred .SASL authentication failed")
                    assert "535" in a.ctl("mailq")
                else:
                    assert b"ESMTPSA" in b.fetch("bob", wait=1)[0]


def test_unknown_there_and_reported():
    with far() as b, near(f"[127.0.0.1]:{b.smtp}") as a:
        submit(a, "who", ["nobody@far.test", "x@far.test"])
        assert len(b.fetch("bob", wait=1)) == 1
        report = a.fetch("alice", wait=1)[0]
        assert b"Final-Recipient: rfc822; nobody@far.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; 127.0.0.1" in report, report
        assert b"Diagnostic-Code: smtp; 550 5.1.1" in report and b"x@far.test\r\nAction" not in report


def test_down_and_up_again():
    with far() as b:
        with near(f"[127.0.0.1]:{b.smtp}") as a:
            b.stop()
            submit(a, "wait")
            a.wait_log("status=deferred .connect to 127.0.0.1.127.0.0.1.:%d: Connection refused" % b.smtp)
            assert "Connection refused" in a.ctl("mailq")
            b.quickstart()
            assert len(b.fetch("bob", wait=1)) == 1


def test_lmtp():
    with far() as b, Instance(f"transport_maps = inline:{{ {{example.test = lmtp:[127.0.0.1]:{b.lmtp}}} }}") as a:
        a.send("z@remote.test", ["bob@example.test"], b"Subject: l\r\n\r\nx\r\n")
        assert b"Subject: l" in b.fetch("bob", wait=1)[0]
        a.wait_log(r"to=<bob@example.test>, relay=127.0.0.1\[127.0.0.1\].*status=sent")


DOVECOT = """base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = {user}
default_login_user = {user}
mail_location = maildir:{d}/mail/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/home allow_all_users=yes
}}
service lmtp {{
  unix_listener {d}/lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
"""


@contextlib.contextmanager
def dovecot(d, t):
    """Dovecot's LMTP at the unix socket d/lmtp."""
    owner = os.stat(f"{t.dir}/mail")
    for name in "mail", "home":
        os.makedirs(f"{d}/{name}", exist_ok=True)
        os.chown(f"{d}/{name}", owner.st_uid, owner.st_gid)
    with open(f"{d}/conf", "w") as f:
        f.write(DOVECOT.format(d=d, uid=owner.st_uid, gid=owner.st_gid, user=pwd.getpwuid(owner.st_uid).pw_name))
    quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    subprocess.run(["/usr/sbin/dovecot", "-c", f"{d}/conf"], check=True, **quiet)
    try:
        yield
    finally:
        subprocess.run(["doveadm", "-c", f"{d}/conf", "stop"], **quiet)
        until(lambda: not os.path.exists(f"{d}/run/master.pid"))


def test_lmtp_over_a_unix_socket():
    """What is not there, not listed or not allowed waits; Dovecot takes it over one connection."""
    if not suite.ROOT or not os.path.exists("/usr/lib/dovecot/lmtp"):
        raise suite.Skip("needs root and dovecot-lmtpd")
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        main = f"""virtual_transport = lmtp:unix:{d}/lmtp
unix_sockets = {d}/lmtp
transport_maps = inline:{{ {{alice@example.test = lmtp:unix:{d}/other}} }}
minimal_backoff_time = 1s
"""
        with Instance(main) as t:
            assert "dialer" in t.pids()
            t.send("z@remote.test", ["alice@example.test", "bob@example.test"], b"Subject: unix\r\n\r\nx\r\n")
            t.wait_log(rf"to=<alice@example.test>, relay=none, .*dsn=4.3.5, status=deferred \(unix_sockets does not list {d}/other\)")
            t.wait_log(rf"to=<bob@example.test>, relay={d}/lmtp, .*status=deferred \(connect to {d}/lmtp: No such file or directory\)")
            with socket.socket(socket.AF_UNIX) as s:  # nobody may connect, nobody listens
                s.bind(f"{d}/lmtp")
                os.chmod(f"{d}/lmtp", 0o600)
                t.ctl("postqueue", "-f")
                t.wait_log("connect to .*/lmtp: Permission denied")
                os.chmod(f"{d}/lmtp", 0o666)
                t.ctl("postqueue", "-f")
                t.wait_log("connect to .*/lmtp: Connection refused")
            os.unlink(f"{d}/lmtp")
            with dovecot(d, t):
                until(lambda: os.path.exists(f"{d}/lmtp"))
                t.ctl("postqueue", "-f")
                t.wait_log(rf"to=<bob@example.test>, relay=[^ ]+\[{d}/lmtp\], .*status=sent \(250 2.0.0")
                for i in range(5):
                    t.send("z@remote.test", ["bob@example.test"], b"Subject: more\r\n\r\nx\r\n")
                until(lambda: len(os.listdir(f"{d}/mail/bob/new")) == 6)


if __name__ == "__main__":
    suite.main()
