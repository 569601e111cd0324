"""An instance whose processes are started, killed and counted directly: what the tests in t/crash share."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "suite"))
import suite  # noqa: E402
from suite import BUILD, Instance, until  # noqa: E402

# What goes to this domain stays in the queue.
LATER = "relay_domains = later.test\ndefer_transports = relay\n"
MIXED = [("alice@example.test",), ("bob@example.test",), ("x@later.test",), ("alice@example.test", "bob@example.test"),
         ("bob@example.test", "y@later.test")]


def descendants(root):
    """Pids of a process and all that descend from it."""
    kids = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        kids.setdefault(parent, []).append(int(pid))
    found = [root]
    for pid in found:
        found += kids.get(pid, [])
    return found


def kill(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


class Tree(Instance):
    """Built, but not running until launch()."""

    def __init__(self, main="", **kw):
        super().__init__(main=LATER + main, start=False, **kw)
        self.master_process = None

    def launch(self, seconds=20):
        """Starts master; gives the time until the SMTP port greets."""
        begin = time.monotonic()
        with open(f"{self.dir}/log/master.out", "a") as out:
            self.master_process = subprocess.Popen([f"{BUILD}/libexec/master", "-c", f"{self.dir}/etc"], stdin=subprocess.DEVNULL,
                                                   stdout=out, stderr=out, start_new_session=True)
        until(self.greets, seconds, 0.005)
        return time.monotonic() - begin

    def greets(self):
        if self.master_process.poll() is not None:
            with open(f"{self.dir}/log/master.out") as f:
                raise AssertionError(f"master has ended: {f.read()}")
        try:
            with socket.create_connection(("127.0.0.1", self.smtp), 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        """In order, and waits for the end."""
        if not self.master_process:
            super().stop()
            return
        if self.master_process.poll() is None:
            self.master_process.terminate()
        try:
            self.master_process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError("master does not end")
        self.master_process = None

    def kill_all(self):
        """All processes at one instant: first frozen, then killed. How many."""
        root = self.master_process.pid
        frozen = set()
        while len(frozen) < len(pids := descendants(root)):
            kill(set(pids) - frozen, signal.SIGSTOP)
            frozen |= set(pids)
        kill(frozen, signal.SIGKILL)
        self.master_process.wait(30)
        until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in frozen), 60)
        return len(frozen)

    def queue(self):
        return [json.loads(line) for line in self.ctl("postqueue", "-j").splitlines()]

    def drained(self):
        """Nothing left in the queue but what stays there by configuration."""
        try:
            rows = self.queue()
        except AssertionError:
            return False  # qmgr is being started
        return all(r["queue_name"] == "deferred" and all(x["address"].endswith("@later.test") for x in r["recipients"]) for r in rows)

    def counts(self, *users):
        """How many messages POP3 shows each."""
        counts = []
        for user in users or ("alice", "bob"):
            c = self.pop3_client(user)
            counts.append(c.stat()[0])
            c.quit()
        return counts


main = suite.main
