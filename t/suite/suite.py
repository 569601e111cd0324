"""What the tests in t/suite share: an instance of the whole suite in a temporary folder, and small clients.

    with Instance() as t:
        t.send("alice@example.test", ["bob@example.test"], b"Subject: hi\\r\\n\\r\\nhello\\r\\n")
        messages = t.fetch("bob", wait=1)

A test script runs its functions named test_* by suite.main(); each prints a line. Nothing sleeps where an event can be
awaited; waits have limits.
"""
import contextlib
import os
import poplib
import random
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("TAYORI_BUILD", os.path.join(TOP, "build", "release"))
OFFSETS = dict(lmtp=24, smtp=25, pop3=110, imap=143, smtps=465, submission=587, imaps=993, pop3s=995)
ROOT = os.geteuid() == 0


class Skip(Exception):
    """A counterpart or a right is missing."""


def free_base():
    """A base such that all ports of an instance are free now."""
    for base in random.sample(range(20000, 59000, 1100), 35):
        with contextlib.ExitStack() as held:
            try:
                for off in OFFSETS.values():
                    s = held.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections hold no port
                    s.bind(("127.0.0.1", base + off))
                return base
            except OSError:
                continue
    raise RuntimeError("no free ports")


def until(what, seconds=60, every=0.02):
    """The first true value of what(); fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


def log_of(folder):
    try:
        with open(f"{folder}/log/tayori.log", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


class Instance:
    def __init__(self, main="", master="", virtual="", keep=False, start=True):
        """main, virtual: lines added to main.cf and the alias table; master: lines added to master.cf."""
        self.base = free_base()
        self.dir = tempfile.mkdtemp(prefix="tayori-")
        os.chmod(self.dir, 0o755)
        self.added = dict(main=main, master=master, virtual=virtual)
        self.keep = keep
        self.autostart = start

    def __getattr__(self, name):
        if name in OFFSETS:
            return self.base + OFFSETS[name]
        raise AttributeError(name)

    def __enter__(self):
        # the quick start makes the instance; it is stopped again to add to its configuration
        self.make()
        if any(self.added.values()):
            for name, text in (("main.cf", self.added["main"]), ("master.cf", self.added["master"]), ("virtual", self.added["virtual"])):
                with open(f"{self.dir}/etc/{name}", "a") as f:
                    f.write(text if not text or text.endswith("\n") else text + "\n")
            self.stop()
            if self.autostart:
                self.quickstart()
        elif not self.autostart:
            self.stop()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            sys.stderr.write("---- the log's end ----\n" + "".join(self.log().splitlines(True)[-40:]))
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def make(self):
        """Starts it on free ports: what was free when it was looked at may be another's a moment later."""
        for tries in range(5):
            try:
                return self.quickstart()
            except AssertionError as e:
                if "in use by another program" not in str(e) or tries == 4:
                    raise
                shutil.rmtree(f"{self.dir}/etc", ignore_errors=True)
                self.base = free_base()

    def quickstart(self, *more):
        r = subprocess.run([f"{TOP}/etc/quickstart", "--dir", self.dir, "--ports", str(self.base), "--background", "--no-install", *more],
                           env=dict(os.environ, TAYORI_BUILD=BUILD), capture_output=True, text=True, timeout=120)
        if r.returncode:
            raise AssertionError(f"quickstart: {r.stdout}{r.stderr}")
        return r.stdout

    def stop(self):
        subprocess.run([f"{TOP}/etc/quickstart", "--dir", self.dir, "--stop"], capture_output=True, timeout=60)

    def log(self):
        return log_of(self.dir)

    def wait_log(self, pattern, seconds=60):
        return until(lambda: re.search(pattern, self.log()), seconds)

    def ctl(self, command, *args, input=None, check=True, text=True):
        """Runs one of the commands with -c; its output."""
        r = subprocess.run([f"{BUILD}/bin/{command}", "-c", f"{self.dir}/etc", *args], input=input, capture_output=True, text=text, timeout=120)
        if check and r.returncode:
            raise AssertionError(f"{command} {args}: {r.returncode} {r.stdout} {r.stderr}")
        return r.stdout if check else r

    def pids(self):
        """daemon name -> list of pids, from tayori status."""
        import json
        rows = json.loads(self.ctl("tayori", "status", "--json", check=False).stdout)
        pids = {}
        for row in rows:
            pids.setdefault(row["daemon"], []).append(row["pid"])
        return pids

    def context(self):
        return ssl.create_default_context(cafile=f"{self.dir}/tls/ca.pem")

    def smtp_client(self, port=None, tls=False):
        c = smtplib.SMTP("127.0.0.1", port or self.smtp, local_hostname="client.test", timeout=60)
        if tls:
            c.starttls(context=self.context())
        return c

    def send(self, sender, recipients, message, port=None):
        """By SMTP on the MX port; `message` has CRLF line ends. Returns smtplib's refusals."""
        with self.smtp_client(port) as c:
            c.ehlo()
            code, text = c.mail(sender, ["BODY=8BITMIME"])
            assert code == 250, (code, text)
            refused = {}
            for r in recipients:
                code, text = c.rcpt(r)
                if code != 250:
                    refused[r] = (code, text)
            code, text = c.data(message)
            assert code == 250, (code, text)
            return refused

    def pop3_client(self, user="bob", password="tayori"):
        poplib._MAXLINE = 1 << 20
        c = poplib.POP3_SSL("localhost", self.pop3s, context=self.context(), timeout=60)
        c.user(user)
        c.pass_(password)
        return c

    def mail(self, user="bob"):
        """The user's mail folder."""
        return f"{self.dir}/mail/example.test/{user}"

    def fetch(self, user="bob", wait=0, delete=True, seconds=60):
        """All messages as bytes with CRLF; waits until there are at least `wait`."""
        def count():
            c = self.pop3_client(user)
            n = c.stat()[0]
            c.quit()
            return n >= wait
        if wait:
            until(count, seconds, 0.05)
        c = self.pop3_client(user)
        out = []
        for i in range(1, c.stat()[0] + 1):
            out.append(b"".join(line + b"\r\n" for line in c.retr(i)[1]))
            if delete:
                c.dele(i)
        c.quit()
        return out


class Wire:
    """A client that says exactly what it is told: for what libraries are too polite to send."""
    def __init__(self, port, tls=None, timeout=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buf = b""
        if tls:
            self.start_tls(tls)

    def start_tls(self, context):
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """The next line without its end; b"" when the server has closed."""
        while b"\n" not in self.buf:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                rest, self.buf = self.buf, b""
                return rest
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        return line.rstrip(b"\r")

    def reply(self):
        """An SMTP reply: its code (0: the server has closed) and its text, the lines joined."""
        lines = []
        while True:
            line = self.line()
            if not line:
                return 0, "\n".join(lines)
            lines.append(line[4:].decode("latin-1"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def cmd(self, text):
        self.send((text.encode("latin-1") if isinstance(text, str) else text) + b"\r\n")
        return self.reply()

    def rest(self, seconds=10):
        """All that comes until the server closes; None when it does not close in time."""
        self.sock.settimeout(seconds)
        out, self.buf = self.buf, b""
        try:
            while more := self.sock.recv(65536):
                out += more
        except (socket.timeout, TimeoutError):
            return None
        except (ConnectionError, ssl.SSLError):
            pass
        return out


def stuff(message):
    """A message with CRLF as it goes over the wire: dots doubled, the end added."""
    return re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"


def original(message):
    """A fetched message without the trace headers that were put before it."""
    mine = re.match(rb"Return-Path:.*?\r\n(?:X-Original-To:.*?\r\n)?Delivered-To:.*?\r\nReceived:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", message)
    return message[mine.end():] if mine else message


def need(*programs):
    for p in programs:
        if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise Skip(f"{p} is not installed")


def run(*command, **kw):
    kw.setdefault("timeout", 60)
    return subprocess.run(command, capture_output=True, text=True, **kw)


def main(module="__main__"):
    """Runs every test_* function, or those named on the command line. Exit status 1 when one failed."""
    names = [n for n in dir(sys.modules[module]) if n.startswith("test_")]
    chosen = sys.argv[1:] or names
    failed = 0
    for name in chosen:
        begin = time.monotonic()
        try:
            getattr(sys.modules[module], name)()
            verdict = "ok"
        except Skip as e:
            verdict = f"skipped: {e}"
        except Exception:
            traceback.print_exc()
            verdict = "FAILED"
            failed += 1
        print(f"{name}: {verdict} ({time.monotonic() - begin:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)
