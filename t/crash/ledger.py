"""A ledger of promises: clients that note what was answered, and a comparison of that with what lies on disk.

    load = Load(t.smtp, [("alice@example.test",), ("x@later.test",)])
    with load: ...                 # threads send until the block ends
    found = audit(load, t.dir)     # what became of each message that was answered with 250

A message's id tells its length, and its body follows from its id, so a copy is whole only if every octet is right. Other
tools can judge too: each line of the body has its number and the id, and the last one tells how many there are.
"""
import collections
import itertools
import os
import re
import socket
import stat
import threading
import time

ID = re.compile(rb"^X-Ledger: ([0-9a-f]+-[0-9]{6}-z)\n", re.M)
LOCAL = "@example.test"


def make_id(run, number, lines):
    return f"{run:x}{lines:04x}-{number:06d}-z"


def body(mid):
    """The message's body with LF."""
    lines = int(mid.split("-")[0][-4:], 16)
    return "".join(f"L{k} {mid} the quick brown fox jumps over the lazy dog\n" for k in range(lines)) + f"END {mid} {lines}\n"


def message(mid):
    text = f"From: <ledger@remote.test>\nSubject: {mid}\nX-Ledger: {mid}\n\n" + body(mid)
    return text.replace("\n", "\r\n").encode()


class Client:
    """One SMTP connection. Raises OSError when it breaks, Refused when the server says no."""

    class Refused(Exception):
        pass

    def __init__(self, port, timeout=20):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.lines = self.sock.makefile("rb")
        try:
            self.expect("2")
            self.say("EHLO ledger.test", "2")
        except BaseException:
            self.close()
            raise

    def expect(self, digit):
        while True:
            line = self.lines.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("closed")
            if line[3:4] != b"-":
                break
        text = line.decode("latin1").strip()
        if text[0] != digit:
            raise Client.Refused(text)
        return text

    def say(self, command, digit):
        self.sock.sendall(command.encode() + b"\r\n")
        return self.expect(digit)

    def envelope(self, recipients):
        self.say("MAIL FROM:<ledger@remote.test>", "2")
        for r in recipients:
            self.say(f"RCPT TO:<{r}>", "2")
        self.say("DATA", "3")

    def close(self):
        self.lines.close()
        self.sock.close()


class Load:
    def __init__(self, port, recipients, connections=6, run=1, lines=(4, 30, 30, 300, 2000), per_connection=7, mark=None, pause=0):
        """recipients: tuples of addresses, used in turn. mark: a file that hears of each 250 at once."""
        self.port, self.per_connection, self.pause = port, per_connection, pause
        self.acked, self.refused, self.unknown = {}, {}, {}  # id -> recipients; refused: id -> why
        self.lock = threading.Lock()
        self.recipients, self.lines = itertools.cycle(recipients), itertools.cycle(lines)
        self.numbers, self.run = itertools.count(), run
        self.mark = os.open(mark, os.O_WRONLY) if mark else -1
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(connections)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join(60)
        assert not any(t.is_alive() for t in self.threads), "a client hangs"

    def next(self):
        with self.lock:
            return make_id(self.run, next(self.numbers), next(self.lines)), next(self.recipients)

    def send(self, client, mid, recipients):
        """One message; notes what was promised. False when the connection is of no more use."""
        dotted = False
        try:
            client.envelope(recipients)
            client.sock.sendall(message(mid))
            dotted = True
            client.say(".", "2")
            if self.mark >= 0:
                os.write(self.mark, f"A {mid}\n".encode())
            with self.lock:
                self.acked[mid] = recipients
            return True
        except Client.Refused as why:
            with self.lock:
                self.refused[mid] = str(why)
        except OSError as why:
            with self.lock:
                if dotted:
                    self.unknown[mid] = recipients
                else:
                    self.refused[mid] = str(why)
        return False

    def session(self):
        client = Client(self.port)
        try:
            for _ in range(self.per_connection):
                if self.stopped.is_set() or not self.send(client, *self.next()):
                    return
                time.sleep(self.pause)
            client.say("QUIT", "2")
        finally:
            client.close()

    def work(self):
        while not self.stopped.is_set():
            try:
                self.session()
            except (OSError, Client.Refused):
                time.sleep(0.02)


class Found:
    """Where whole copies lie: id -> Counter of places, which are 'queue' and names of mailboxes; torn: ids."""

    def __init__(self):
        self.whole = collections.defaultdict(collections.Counter)
        self.torn = set()

    def scan(self, folder, place):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as f:
                    data = f.read()
            except FileNotFoundError:
                continue  # moved, while the suite runs
            mid = ID.search(data)
            if not mid:
                continue
            mid = mid[1].decode()
            if data.endswith(b"\n\n" + body(mid).encode()):
                self.whole[mid][place] += 1
            else:
                self.torn.add(mid)


def look(queue, mail):
    found = Found()
    for folder in "new", "cur":
        found.scan(os.path.join(queue, folder), "queue")
    for top, folders, _ in os.walk(mail):
        if "new" in folders and "cur" in folders:
            for folder in "new", "cur":
                found.scan(os.path.join(top, folder), os.path.basename(top))
    return found


def mailbox(address):
    return address.split("@")[0]


class Audit:
    """lost: promised, and nowhere whole. missing: delivered nowhere though the queue should be done with it, or deferred
    and not in the queue. twice: ids with more than one copy in one mailbox; extra: those copies. torn: only half there."""

    def __init__(self, acked, found):
        self.acked = len(acked)
        self.lost = sorted(m for m in acked if not found.whole.get(m) and m not in found.torn)
        self.torn = sorted(m for m in acked if not found.whole.get(m) and m in found.torn)
        self.missing = sorted(m for m, to in acked.items() for r in to
                              if not found.whole[m][mailbox(r) if r.endswith(LOCAL) else "queue"])
        boxes = {m: max([n for p, n in places.items() if p != "queue"], default=0) for m, places in found.whole.items()}
        self.twice = sorted(m for m, n in boxes.items() if n > 1)
        self.extra = sum(n - 1 for n in boxes.values() if n > 1)
        self.most = max(boxes.values(), default=0)

    def __str__(self):
        return (f"acknowledged {self.acked} lost {len(self.lost)} torn {len(self.torn)} missing {len(self.missing)} "
                f"duplicate {len(self.twice)} ({self.extra} copies)")

    def check(self, drained=True):
        assert self.acked > 0, "nothing was acknowledged: no test"
        assert not self.lost and not self.torn, (str(self), self.lost[:5], self.torn[:5])
        assert not drained or not self.missing, (str(self), self.missing[:5])
        assert self.most <= 2, (str(self), self.twice[:5])


def audit(loads, folder):
    acked = {}
    for load in loads:
        acked.update(load.acked)
    return Audit(acked, look(f"{folder}/queue", f"{folder}/mail"))
