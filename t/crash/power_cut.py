#!/usr/bin/env python3
"""Power cuts, with the queue and the mailboxes on two ext4 disks: in no state is anything lost that was acknowledged.

A recorder below both disks ($TAYORI_FAULTS: blocklog.c, powercut.py) keeps every write and flush in one order, together
with each 250 and each message that POP3 showed. From that come states as a cut could leave them. All are searched for
the messages as files; on some the suite is started, and must deliver all of them, each once, under the UIDs it had told.

TAYORI_POWERCUT_STATES sets the number of states of each kind (20), TAYORI_POWERCUT_STARTS of those started on (5).
"""
import contextlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import tree
from ledger import Audit, Load, look
from tree import MIXED, Tree, until

FAULTS = os.environ.get("TAYORI_FAULTS", "")
STATES = int(os.environ.get("TAYORI_POWERCUT_STATES", "20"))
STARTS = int(os.environ.get("TAYORI_POWERCUT_STARTS", "5"))
SECONDS = 5
DISKS = {"queue": "tayori-queue", "mail": "tayori-mail"}  # folder of the instance: its owner
RECORD = struct.Struct("<4sBBHI4xQQ")  # magic, type, image, 0, length, offset, time


def command(*words, check=True):
    r = subprocess.run(words, capture_output=True, text=True, timeout=100)
    if check and r.returncode:
        raise AssertionError(f"{words}: {r.stdout}{r.stderr}")
    return r.stdout.strip()


class Bench:
    """Disks below a recorder, mounted where the instance has its queue and its mailboxes."""

    def __init__(self, top, disks=None, size="96M"):
        self.top, self.recorder, self.disks, self.size = top, None, disks or DISKS, size
        for name in "img", "base", "mnt":
            os.mkdir(f"{top}/{name}")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True)
        if flags.returncode:
            raise tree.suite.Skip("libfuse3-dev is not installed")
        command("gcc", "-O2", "-o", f"{top}/blocklog", f"{FAULTS}/blocklog.c", *flags.stdout.split())

    def make_disks(self):
        for disk, owner in self.disks.items():
            image = f"{self.top}/img/{disk}.img"
            command("truncate", "-s", self.size, image)
            command("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=8", image)
            with mounted(image, f"{self.top}/mnt"):
                command("chown", f"{owner}:", f"{self.top}/mnt")
                os.chmod(f"{self.top}/mnt", 0o700)
            command("cp", "--sparse=always", image, f"{self.top}/base/")

    @contextlib.contextmanager
    def recorded(self, t):
        self.recorder = subprocess.Popen([f"{self.top}/blocklog", f"{self.top}/log", f"{self.top}/img", f"{self.top}/mnt"])
        try:
            until(lambda: os.path.exists(f"{self.top}/mnt/mark"))
            with contextlib.ExitStack() as stack:
                for disk in self.disks:
                    stack.enter_context(mounted(f"{self.top}/mnt/{disk}.img", f"{t.dir}/{disk}"))
                yield f"{self.top}/mnt/mark"
        finally:
            command("fusermount3", "-u", "-z", f"{self.top}/mnt", check=False)
            try:
                self.recorder.wait(20)
            except subprocess.TimeoutExpired:
                self.recorder.kill()

    def judge(self, mode):
        """The tool's verdict on STATES states, as a line of figures."""
        r = subprocess.run([sys.executable, f"{FAULTS}/powercut.py", "--log", f"{self.top}/log", "--base", f"{self.top}/base", "--work",
                            f"{self.top}/work", "--points", str(STATES), "--mode", mode], capture_output=True, text=True, timeout=600)
        print("  " + (r.stdout + r.stderr).strip().replace("\n", "\n  "), flush=True)
        return r.returncode == 0

    def rebuild(self, point, mode, rng):
        """Images as a cut behind record `point` may have left them, and the marks before it."""
        files = []
        for disk in DISKS:
            command("cp", "--sparse=always", f"{self.top}/base/{disk}.img", f"{self.top}/{disk}.cut")
            files.append(open(f"{self.top}/{disk}.cut", "r+b"))
        marks, late, names = [], {}, []
        for n, (kind, image, offset, data) in enumerate(records(f"{self.top}/log")):
            if n > point:
                break
            if kind == "D":
                names = [list(DISKS).index(name.partition(".")[0]) for name in data.decode().split()]
            elif kind == "M":
                marks.append(data.decode().split())
            elif kind == "W":
                late.setdefault(names[image], []).append((offset, data))
            if kind == "F" or mode == "prefix":
                for written in late.pop(names[image], []) if kind in "WF" else ():
                    put(files[names[image]], *written)
        for disk, writes in late.items():  # no flush came behind these
            kept = [w for w in writes if rng.random() < 0.5]
            if kept and mode == "torn":
                offset, data = kept[-1]
                kept[-1] = offset, data[:rng.randrange(0, len(data) + 1, 512)]
            for written in kept:
                put(files[disk], *written)
        for f in files:
            f.close()
        return marks


def put(f, offset, data):
    f.seek(offset)
    f.write(data)


def records(path):
    with open(path, "rb") as f:
        while len(head := f.read(RECORD.size)) == RECORD.size:
            _, kind, image, _, length, offset, _ = RECORD.unpack(head)
            yield chr(kind), image, offset, f.read(length)


@contextlib.contextmanager
def mounted(image, where):
    loop = command("losetup", "-f", "--show", image)
    try:
        command("mount", "-o", "noatime", loop, where)
        try:
            yield
        finally:
            if subprocess.run(["umount", where], capture_output=True).returncode:
                command("umount", "-l", where)
    finally:
        command("losetup", "-d", loop)


def show(t, user):
    """What POP3 shows: unique id -> message id."""
    c = t.pop3_client(user)
    shown = {}
    for line in c.uidl()[1]:
        number, uidl = line.decode().split()
        text = b"\n".join(c.top(int(number), 0)[1])
        shown[uidl] = re.search(rb"X-Ledger: (\S+)", text)[1].decode()
    c.quit()
    assert len(shown) == len(set(shown.values())), "a message is shown twice"
    return shown


class Reader(threading.Thread):
    """Looks at the mailboxes now and then, and marks what it was shown: P id uidl user."""

    def __init__(self, t, mark):
        super().__init__(daemon=True)
        self.t, self.mark, self.stopped, self.failure = t, os.open(mark, os.O_WRONLY), threading.Event(), None

    def run(self):
        known = set()
        try:
            while not self.stopped.wait(0.5):
                for user in "alice", "bob":
                    shown = show(self.t, user)
                    for uidl in shown.keys() - known:
                        os.write(self.mark, f"P {shown[uidl]} {uidl} {user}\n".encode())
                    known |= shown.keys()
        except Exception as why:
            self.failure = why


def start_on(t, bench, marks, recipients):
    """The suite on the disks as the cut left them: all that was promised before is there, once, under the UIDs that were told."""
    acked = {m[1]: recipients[m[1]] for m in marks if m[0] == "A"}
    with contextlib.ExitStack() as stack:
        for disk in DISKS:
            stack.enter_context(mounted(f"{bench.top}/{disk}.cut", f"{t.dir}/{disk}"))
        t.launch()
        try:
            until(t.drained, 60)
            shown = {user: show(t, user) for user in ("alice", "bob")}
        finally:
            t.stop()
        found = look(f"{t.dir}/queue", f"{t.dir}/mail")
    result = Audit(acked, found)
    for _, mid, uidl, user in (m for m in marks if m[0] == "P"):
        assert shown[user].get(uidl) == mid, f"{user}: {uidl} was {mid}, is {shown[user].get(uidl)}"
    for user, list_of in shown.items():
        files = sorted(m for m, places in found.whole.items() if places[user])
        assert sorted(list_of.values()) == files, f"{user}: POP3 shows other messages than there are"
    return result


def test_power_cut():
    if not FAULTS or not os.path.exists(f"{FAULTS}/blocklog.c"):
        raise tree.suite.Skip("TAYORI_FAULTS names no folder with the recorder")
    if not tree.suite.ROOT:
        raise tree.suite.Skip("only root can mount")
    tree.suite.need("fusermount3", "mkfs.ext4", "losetup")
    top = tempfile.mkdtemp(prefix="tayori-disks-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        run(Bench(top))
    finally:
        shutil.rmtree(top, ignore_errors=True)


def run(bench):
    rng = random.Random(1)
    bench.make_disks()
    with Tree("message_size_limit = 1M\n") as t:
        with bench.recorded(t) as mark:
            t.launch()
            reader = Reader(t, mark)
            with Load(t.smtp, MIXED, connections=6, lines=(4, 30, 30, 300), mark=mark, pause=0.02) as load:
                reader.start()
                time.sleep(SECONDS)
            until(t.drained, 60)
            reader.stopped.set()
            reader.join(20)
            t.stop()
        assert not reader.failure, reader.failure
        print(f"recorded: acknowledged {len(load.acked)}, refused {len(load.refused)}", flush=True)
        good = [bench.judge(mode) for mode in ("prefix", "reorder", "torn")]
        kinds = [r[0] for r in records(f"{bench.top}/log")]
        first = kinds.index("M")
        for n in range(STARTS):
            point, mode = rng.randrange(first, len(kinds)), ("reorder", "torn", "prefix", "reorder", "torn")[n % 5]
            marks = bench.rebuild(point, mode, rng)
            result = start_on(t, bench, marks, load.acked)
            told = sum(m[0] == "P" for m in marks)
            print(f"  started on a {mode} state, record {point} of {len(kinds)}: {result}, UIDs told {told}", flush=True)
            result.check()
            assert not result.twice, result.twice
        assert all(good), "acknowledged mail was lost"


if __name__ == "__main__":
    tree.main()
