#!/usr/bin/env python3
"""Power cuts under IMAP, with the mailboxes on an ext4 disk: in every state what was answered is so.

As power_cut.py: a recorder below the disk keeps every write and flush in one order, together with each command and each answer. On
states as a cut could leave them the suite is started; what it shows is compared with what had been answered before the cut,
with the index as the cut left it, and with none.

TAYORI_POWERCUT_STATES sets the number of states of each kind (15).
"""
import json
import os
import random
import shutil
import tempfile
import time

import tree
from imap_ledger import Book, Load, dump, expected, make_folders, refusals
from power_cut import FAULTS, Bench, command, mounted, put, records
from tree import Tree, until

STATES = int(os.environ.get("TAYORI_POWERCUT_STATES", "15"))
SECONDS = 4
DISKS = {"mail": "tayori-mail"}
KINDS = ("prefix", "reorder", "torn")


def states(bench, mode, points, rng):
    """For each point the image as a cut behind that record may have left it, and the events before."""
    running, cut = f"{bench.top}/mail.run", f"{bench.top}/mail.cut"
    command("cp", "--sparse=always", f"{bench.top}/base/mail.img", running)
    late, events, todo = [], [], list(points)
    with open(running, "r+b", 0) as disk:
        for n, (kind, _, offset, data) in enumerate(records(f"{bench.top}/log")):
            if kind == "M":
                events.append(json.loads(data))
            elif kind == "W":
                late.append((offset, data))
            if kind == "F" or mode == "prefix":
                for written in late:
                    put(disk, *written)
                late = []
            if n != todo[0]:
                continue
            command("cp", "--sparse=always", running, cut)
            kept = [w for w in late if rng.random() < 0.5]
            if kept and mode == "torn":
                offset, data = kept[-1]
                kept[-1] = offset, data[:rng.randrange(0, len(data) + 1, 512)]
            with open(cut, "r+b") as f:
                for written in kept:
                    put(f, *written)
            yield cut, list(events)
            todo.pop(0)
            if not todo:
                return


def audit(t, image, events):
    """Starts the suite on it. How many promises there were, how many commands without an answer."""
    e = expected(events)
    with mounted(image, f"{t.dir}/mail"):
        t.launch()
        try:
            first = dump(t)
            e.check(first)
            until(lambda: json.loads(t.ctl("tayori", "who", "--json")) == [])
            for user in "alice", "bob":
                shutil.rmtree(f"{t.mail(user)}/tayori-index")
            again = dump(t)
            assert again == first, "the index said something else than the files"
        finally:
            t.kill_all()
    return e.promises, len(e.loose)


def test_power_cut():
    if not FAULTS or not os.path.exists(f"{FAULTS}/blocklog.c"):
        raise tree.suite.Skip("TAYORI_FAULTS names no folder with the recorder")
    if not tree.suite.ROOT:
        raise tree.suite.Skip("only root can mount")
    tree.suite.need("fusermount3", "mkfs.ext4", "losetup")
    top = tempfile.mkdtemp(prefix="tayori-disks-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        run(Bench(top, DISKS, "64M"))
    finally:
        shutil.rmtree(top, ignore_errors=True)


def run(bench):
    rng = random.Random(1)
    bench.make_disks()
    with Tree("front_tls_auth_only = no\nimap_sleep_after = 1s\n") as t:
        with bench.recorded(t) as mark:
            t.launch()
            make_folders(t)
            book = Book(mark)
            with Load(t, book):
                time.sleep(SECONDS)
            expected(book.events).check(dump(t))
            t.stop()
        assert not refusals(book), set(refusals(book))
        kinds = [r[0] for r in records(f"{bench.top}/log")]
        first = kinds.index("M")
        print(f"  recorded {len(kinds)} records, {kinds.count('F')} flushes, {book.count()} commands promised", flush=True)
        for mode in KINDS:
            begin, promised, unknown = time.monotonic(), 0, 0
            points = sorted(rng.sample(range(first, len(kinds)), STATES))
            for point, (image, events) in zip(points, states(bench, mode, points, rng)):
                try:
                    n, loose = audit(t, image, events)
                except AssertionError as why:
                    raise AssertionError(f"{mode}, a cut behind record {point} of {len(kinds)}: {why}") from why
                promised, unknown = promised + n, unknown + loose
            print(f"  {mode}: {STATES} states, {promised} promises looked at, {unknown} copies that might be there or not, "
                  f"{time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    tree.main()
