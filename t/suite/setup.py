#!/usr/bin/env python3
"""tayori setup: what it writes is a mail system that starts and works; nobody's files are overwritten unasked."""
import glob
import imaplib
import os
import pty
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from hosts import inside, ip
from suite import BUILD, ROOT, TOP, need, run, until

HOST = "mail.set.test"


class Place:
    """A temporary folder for setup --dir."""
    def __enter__(self):
        self.base = tempfile.mkdtemp(prefix="tayori-setup-")
        os.chmod(self.base, 0o755)
        self.dir = f"{self.base}/host"
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.base)

    def setup(self, *args, input="", status=0):
        r = run(f"{BUILD}/bin/tayori", "setup", "--dir", self.dir, *args, input=input)
        assert r.returncode == status, r
        return r.stdout + r.stderr

    def ask(self, *args, answers, status=0):
        """With a terminal."""
        ours, theirs = pty.openpty()
        with subprocess.Popen([f"{BUILD}/bin/tayori", "setup", "--dir", self.dir, *args], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
            os.write(ours, "".join(a + "\n" for a in answers).encode())
            told = p.stdout.read()
            assert p.wait(60) == status, told
        os.close(ours)
        os.close(theirs)
        return told

    def ctl(self, command, *args, check=True):
        r = run(f"{BUILD}/bin/{command}", "-c", f"{self.dir}/etc", *args)
        assert not check or r.returncode == 0, r
        return r

    def get(self, name):
        with open(f"{self.dir}/etc/{name}") as f:
            return f.read()

    def put(self, name, text):
        with open(f"{self.dir}/etc/{name}", "w") as f:
            f.write(text)

    def names(self):
        return sorted(os.path.relpath(p, self.dir) for p in glob.glob(f"{self.dir}/**", recursive=True) if os.path.isfile(p))


FILES = ["etc/main.cf", "etc/master.cf", "etc/tls/cert.pem", "etc/tls/key.pem", "etc/users", "etc/virtual"]


def test_files_and_records():
    with Place() as p:
        told = p.setup("set.test", "--user", "Alice")
        assert p.names() == FILES
        assert os.stat(f"{p.dir}/etc/tls/key.pem").st_mode & 0o777 == 0o600 and os.stat(f"{p.dir}/etc/users").st_mode & 0o777 == 0o640
        assert "no mistakes found" in p.ctl("tayori", "check").stdout
        password = re.search(r"User alice@set.test, password ([a-z0-9-]+) \(shown this once", told)[1]
        assert len(password) == 24 and password not in p.get("users")
        for row in (rf"set\.test\. +MX +10 {HOST}\.", rf"{HOST}\. +A +\S+", rf"{HOST}\. +AAAA +\S+", r'set\.test\. +TXT +"v=spf1 mx -all"',
                    r'_dmarc\.set\.test\. +TXT +"v=DMARC1; p=none; rua=mailto:postmaster@set\.test"', rf"_submissions\._tcp\.set\.test\. +SRV +0 1 465 {HOST}\.",
                    rf"_imaps\._tcp\.set\.test\. +SRV +0 1 993 {HOST}\.", rf"_pop3s\._tcp\.set\.test\. +SRV +0 1 995 {HOST}\."):
            assert re.search(f"(?m)^{row}", told), (row, told)
        if shutil.which("nsd-checkzone"):  # the rows are a zone as they stand
            with open(f"{p.dir}/zone", "w") as f:
                f.write("$TTL 60\nset.test. SOA ns.set.test. x.set.test. 1 1 1 1 1\nset.test. NS ns.set.test.\nns.set.test. A 192.0.2.9\n" + told[told.index("; Mail for"):])
            r = run("nsd-checkzone", "set.test", f"{p.dir}/zone")
            assert r.returncode == 0, (r.stdout, r.stderr)


def test_nothing_is_overwritten():
    with Place() as p:
        p.setup("set.test")
        first = {n: p.get(n) for n in ("main.cf", "master.cf", "virtual", "users", "tls/cert.pem", "tls/key.pem")}
        # the same again changes nothing
        told = p.setup("set.test")
        assert "stays as it is" in told and "certificate and key are there" in told and "password" not in told and p.names() == FILES
        p.put("main.cf", first["main.cf"] + "smtpd_banner = mine\n")
        told = p.setup("set.test", status=73)
        assert "there are already: main.cf;" in told and "--yes" in told and p.names() == FILES and "mine" in p.get("main.cf")
        assert "nothing was changed" in p.ask("set.test", answers=["", "", "no"], status=73) and "mine" in p.get("main.cf")
        told = p.setup("set.test", "--yes", "--user", "bob")
        old, = glob.glob(f"{p.dir}/etc/main.cf.old-*")
        assert f"the old one is kept as {os.path.basename(old)}" in told and p.get("main.cf") == first["main.cf"]
        with open(old) as f:
            assert f.read() == first["main.cf"] + "smtpd_banner = mine\n"
        assert p.get("users").startswith(first["users"]) and "bob@set.test:" in p.get("users")
        assert p.get("tls/key.pem") == first["tls/key.pem"]
        os.remove(f"{p.dir}/etc/tls/cert.pem")
        assert "only one is there" in p.setup("set.test", "--yes", "--user", "bob", status=65)
    with Place() as p:
        os.mkdir(p.dir)
        os.chmod(p.dir, 0o500)
        if not ROOT:
            assert "Permission denied" in p.setup("set.test", status=73)
        os.chmod(p.dir, 0o755)


def test_answers():
    with Place() as p:
        told = p.ask("set.test", answers=["MX.Set.test", "carol"])
        assert "Name of this host" in told and "User carol@set.test, password" in told
        assert "myhostname = mx.set.test\n" in p.get("main.cf") and "postmaster@set.test carol@set.test\n" in p.get("virtual")
    with Place() as p:
        told = p.setup("set.test", "--hostname", "mx.other.test", "--password-stdin", input="secret\n")
        assert "password" not in told and "set.test.                            MX    10 mx.other.test." in told
        assert "postmaster@set.test:$" in p.get("users")


def test_wrong_calls():
    with Place() as p:
        for args, status in ((), 64), (("a.test", "b.test"), 64), (("--frobnicate", "a.test"), 64), (("test",), 65), (("a..test",), 65), (("a b.test",), 65), (("便り.test",), 65), (("a.test.",), 65), \
                (("x" * 64 + ".test",), 65), (("a.test", "--hostname", "mail"), 65), (("a.test", "--hostname", "$x.test"), 65), (("a.test", "--user", "a:b"), 65), \
                (("a.test", "--user", "x@b.test"), 65), (("a.test", "--user", "a\nb"), 65), (("a.test\nmydomain = b.test",), 65), (("a.test", "--user", "../x"), 65):
            told = p.setup(*args, status=status)
            assert "tayori setup: " in told and not os.path.exists(p.dir), (args, told)
        assert p.setup("a.test", "--password-stdin", input="\n", status=65)


def test_it_works():
    """In a network of its own, with the ports that the real ones are: a letter by submissions to the alias, read over IMAP."""
    if not ROOT:
        raise suite.Skip("needs root")
    need("ip")
    run(f"{TOP}/etc/users")
    ns = f"tysetup{os.getpid()}"
    ip("netns", "add", ns)
    try:
        ip("-n", ns, "link", "set", "lo", "up")
        with Place() as p, inside(ns):
            told = p.setup("set.test", "--hostname", HOST, "--user", "alice")
            password = re.search(r"password (\S+)", told)[1]
            p.ctl("postconf", "-e", f"daemon_directory={BUILD}/libexec", "smtpd_peername_lookup=no", "resolver_forward=127.0.0.1")
            master = subprocess.Popen([f"{BUILD}/libexec/master", "-c", f"{p.dir}/etc"], stdin=subprocess.DEVNULL)
            try:
                until(lambda: master.poll() is not None or p.ctl("tayori", "status", check=False).returncode == 0, 60, 0.1)
                context = ssl.create_default_context(cafile=f"{p.dir}/etc/tls/cert.pem")
                context.check_hostname = False  # of the name that it has
                with smtplib.SMTP_SSL("127.0.0.1", 465, context=context, timeout=60) as c:
                    c.login("alice", password)
                    c.sendmail("alice@set.test", ["postmaster@set.test", f"root@{HOST}"], b"Subject: it works\r\n\r\nx\r\n")
                with smtplib.SMTP("127.0.0.1", 25, timeout=60) as c:
                    c.sendmail("a@b.test", ["abuse@set.test"], b"Subject: it works\r\n\r\nx\r\n")
                    assert c.docmd("MAIL FROM:<a@b.test>")[0] == 250 and c.docmd("RCPT TO:<x@elsewhere.test>")[0] == 554

                def seen():
                    with imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context, timeout=60) as c:
                        c.login("alice", password)
                        c.select("INBOX")
                        return len(c.search(None, 'SUBJECT "it works"')[1][0].split()) >= 2
                until(seen, 60, 0.1)
                assert "error" not in open(f"{p.dir}/log/tayori.log").read()
            finally:
                p.ctl("tayori", "stop", check=False)
                master.wait(60)
    finally:
        run("ip", "netns", "delete", ns)


if __name__ == "__main__":
    suite.main()
