#!/usr/bin/env python3
"""The legal states of lib/queue/README and lib/mbox/README, each built by hand in a stopped instance: what comes of them.

All states of the queue are built side by side, each with a message of its own; those of mailboxes each in a mailbox of
its own. The originals are real: the suite wrote them.
"""
import glob
import os
import re
import shutil
import struct

import tree
from ledger import Client, Load, look, make_id
from power_cut import show
from tree import Tree, until

LATER_TOO = "relay_domains = later.test\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n"
ALL, RELAY = "defer_transports = relay, virtual\n", "defer_transports = relay\n"


def configure(t, defer):
    """What stays in the queue from now on."""
    path = f"{t.dir}/etc/main.cf"
    with open(path) as f:
        text = re.sub(r"^defer_transports = .*\n", "", f.read(), flags=re.M)
    with open(path, "w") as f:
        f.write(text + defer)


def send(t, mid, *recipients):
    load, client = Load(t.smtp, [recipients]), Client(t.smtp)
    assert load.send(client, mid, recipients), load.refused
    client.close()


class Entry:
    """A deferred message in the queue of a stopped instance."""

    def __init__(self, queue, content):
        self.queue, self.content, self.id = queue, content, os.path.basename(content).partition(":")[0]
        self.env = f"{queue}/env/{self.id}"
        with open(content, "rb") as f:
            self.text = f.read()
        with open(self.env, "rb") as f:
            self.bytes = f.read()
        self.ends, at = [], 0  # of the records
        while at < len(self.bytes):
            at += 13 + struct.unpack_from("<I", self.bytes, at)[0]
            self.ends.append(at)
        self.head = self.ends[1]  # head and one record of recipients

    def write(self, path, data):
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o600)
        shutil.chown(path, *self.owner())

    def owner(self):
        st = os.stat(f"{self.queue}/env")
        return st.st_uid, st.st_gid

    def cut(self, env=None, content=None):
        """Both files, so many octets of each; None: whole."""
        self.write(self.env, self.bytes[:env])
        self.write(self.content, self.text[:content])

    def fresh(self):
        """As before the first try: in new/, and only the head group in the envelope."""
        os.rename(self.content, f"{self.queue}/new/{self.id}")
        self.content = f"{self.queue}/new/{self.id}"
        self.bytes = self.bytes[:self.head]
        self.write(self.env, self.bytes)
        return self


def zero_sector(e):
    """A sector that never came to the disk."""
    e.fresh().write(e.content, e.text[:512] + bytes(512) + e.text[1024:])


def flip(e, at, path=None):
    with open(path or e.env, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 4]))


def linked(e):
    e.fresh()
    os.link(e.content, f"{e.queue}/tmp/{e.id}")


def half_removed(e):
    os.unlink(e.env)


def damaged_fresh(e):
    e.fresh()
    flip(e, 40)


def reader_moved_it(e):
    os.rename(e.content, f"{e.queue}/cur/{e.id}:2,FS")


def stranger_in_its_place(e):
    e.fresh()
    os.unlink(e.content)
    os.mkfifo(e.content)


def rewritten(part):
    return lambda e: e.write(f"{e.queue}/tmp/{e.id}.env", e.bytes[:part])


DELIVERED, GONE, KEPT = "delivered", "gone", "kept"
# name, how it is made of a deferred entry, what becomes of it
QUEUE_STATES = [
    ("nothing special", lambda e: None, DELIVERED),
    ("durable, not tried", lambda e: e.fresh(), DELIVERED),
    ("tmp create", lambda e: (os.unlink(e.env), os.rename(e.content, f"{e.queue}/tmp/{e.id}")), GONE),
    ("content, no envelope", lambda e: os.unlink(e.fresh().env), GONE),
    ("part of the content, no envelope", lambda e: (e.fresh().cut(content=100), os.unlink(e.env)), GONE),
    ("empty content, no envelope", lambda e: (e.fresh().cut(content=0), os.unlink(e.env)), GONE),
    ("empty envelope", lambda e: e.fresh().cut(env=0), GONE),
    ("envelope cut in a header", lambda e: e.fresh().cut(env=7), GONE),
    ("envelope cut in the head", lambda e: e.fresh().cut(env=40), GONE),
    ("envelope without recipients", lambda e: e.fresh().cut(env=e.ends[0]), GONE),
    ("envelope cut in the recipients", lambda e: e.fresh().cut(env=e.head - 1), GONE),
    ("envelope of zeros", lambda e: e.fresh().write(e.env, bytes(e.head)), GONE),
    ("envelope whose end is zeros", lambda e: e.fresh().write(e.env, e.bytes[:30] + bytes(e.head - 30)), GONE),
    ("empty content", lambda e: e.fresh().cut(content=0), GONE),
    ("content shorter", lambda e: e.fresh().cut(content=-1), GONE),
    ("content with a lost sector", zero_sector, GONE),
    ("content missing", lambda e: os.unlink(e.fresh().content), GONE),
    ("large: linked, not yet unlinked", linked, DELIVERED),
    ("large: linked, no envelope", lambda e: (linked(e), os.unlink(e.env)), GONE),
    ("tried, head group only", lambda e: e.cut(env=e.head), DELIVERED),
    ("progress cut in a header", lambda e: e.cut(env=e.head + 5), DELIVERED),
    ("progress cut before its last octet", lambda e: e.cut(env=-1), DELIVERED),
    ("progress whose end is zeros", lambda e: e.write(e.env, e.bytes[:e.head + 20] + bytes(len(e.bytes) - e.head - 20)), DELIVERED),
    ("zeros behind the progress", lambda e: e.write(e.env, e.bytes + bytes(300)), DELIVERED),
    ("rewrite begun", rewritten(0), DELIVERED),
    ("rewrite half", rewritten(50), DELIVERED),
    ("rewrite not renamed", rewritten(None), DELIVERED),
    ("half removed, tried", half_removed, GONE),
    ("flags of a mail reader", reader_moved_it, DELIVERED),
    # not left by a crash, but never to be lost
    ("acknowledged, content shorter", lambda e: e.cut(content=-1), KEPT),
    ("acknowledged, content missing", lambda e: os.unlink(e.content), KEPT),
    ("acknowledged, head torn", lambda e: e.cut(env=40), KEPT),
    ("content longer", lambda e: e.fresh().write(e.content, e.text + b"x"), KEPT),
    ("content changed", lambda e: flip(e, 700, e.fresh().content), KEPT),
    ("acknowledged, content changed", lambda e: flip(e, 700, e.content), KEPT),
    ("envelope damaged, not tried", damaged_fresh, KEPT),
    ("envelope damaged", lambda e: flip(e, 40), KEPT),
    ("progress damaged", lambda e: flip(e, e.head + 15), KEPT),
    ("a fifo for a content", stranger_in_its_place, KEPT),
]


def entries(t):
    """Message id -> Entry."""
    found = {}
    for content in glob.glob(f"{t.dir}/queue/cur/*"):
        e = Entry(f"{t.dir}/queue", content)
        found[re.search(rb"X-Ledger: (\S+)", e.text)[1].decode()] = e
    return found


def files_of(t, e):
    return sorted(f for folder in ("tmp", "new", "cur", "env") for f in os.listdir(f"{t.dir}/queue/{folder}") if f.startswith(e.id))


def fill(t, mids, *recipients):
    """These messages, deferred, in a stopped instance."""
    configure(t, ALL)
    t.launch()
    for mid in mids:
        send(t, mid, *recipients)
    until(lambda: len([r for r in t.queue() if r["queue_name"] == "deferred"]) >= len(mids))
    t.stop()
    return entries(t)


def go(t, more=""):
    """Starts and lets everything be delivered that can be; stays up."""
    configure(t, RELAY + more)
    t.launch()
    until(lambda: t.drained() or all(r["queue_name"] != "active" and r["attempts"] > 1 for r in t.queue()), 60)


def copies(t):
    found = look(f"{t.dir}/queue", f"{t.dir}/mail")
    return {m: places["alice"] for m, places in found.whole.items() if places["alice"]}


def test_queue():
    mids = {name: make_id(n, n, 20) for n, (name, _, _) in enumerate(QUEUE_STATES, 1)}
    with Tree(LATER_TOO) as t:
        made = fill(t, mids.values(), "alice@example.test")
        strangers = [f"{t.dir}/queue/{f}" for f in ("new/a-folder", "env/not.an.id", "cur/0:2,S", "tmp/link", "tmp/.hidden")]
        os.mkdir(strangers[0])
        for path in strangers[1:3] + strangers[4:]:
            open(path, "w").close()
        os.symlink("/etc/passwd", strangers[3])
        for name, make, _ in QUEUE_STATES:
            make(made[mids[name]])
        before = {name: files_of(t, made[mids[name]]) for name, _, _ in QUEUE_STATES}
        configure(t, RELAY)
        t.launch()
        due = [mids[name] for name, _, fate in QUEUE_STATES if fate == DELIVERED]
        until(lambda: len(copies(t)) >= len(due), 60)
        until(lambda: not [r for r in t.queue() if r["queue_name"] != "damaged"], 60)
        log, shown = t.log(), show(t, "alice")
        t.stop()
        got, bad = copies(t), []
        for name, _, fate in QUEUE_STATES:
            mid, e = mids[name], made[mids[name]]
            now, there = files_of(t, e), got.get(mid, 0)
            named = bool(re.search(rf"{e.id}: damaged, kept", log))
            ok = {DELIVERED: there == 1 and not now and not named,
                  GONE: there == 0 and not now and not named,
                  KEPT: there == 0 and now == before[name] and named}[fate]
            if not ok:
                bad.append(f"{name}: wanted {fate}; copies {there}, files {now} (were {before[name]}), named in the log {named}")
        assert not bad, "\n".join(bad)
        assert sorted(shown.values()) == sorted(due)
        assert all(os.path.lexists(s) for s in strangers), "strangers were touched"
        print(f"{len(QUEUE_STATES)} states: {len(due)} delivered once")


def test_delivered_but_still_queued():
    """The removal was not flushed, or the crash came between delivery and note: delivered again, there is one copy."""
    places = ["new", "cur", "not delivered"]
    mids = {place: make_id(n, n, 300) for n, place in enumerate(places, 1)}
    with Tree(LATER_TOO) as t:
        made = fill(t, mids.values(), "alice@example.test")
        made["cur"] = made.pop(mids["cur"])
        others = [made.pop(mids[p]) for p in ("new", "not delivered")]
        for e in others:  # set aside
            os.unlink(e.content), os.unlink(e.env)
        go(t)
        uidls = show(t, "alice")  # takes it to cur/, under a UID
        t.stop()
        others[0].cut()
        go(t)
        t.stop()
        assert copies(t) == {mids["cur"]: 1, mids["new"]: 1}, copies(t)
        for e in [made["cur"], *others]:
            e.cut()
        go(t)
        shown = show(t, "alice")
        t.stop()
        assert copies(t) == {m: 1 for m in mids.values()}, copies(t)
        assert uidls.items() <= shown.items() and len(shown) == 3, (uidls, shown)


def test_progress_torn_anywhere():
    """Of two recipients one is done: wherever the note of that was torn, nobody gets it twice or never."""
    mids = [make_id(n, n, 10) for n in range(1, 31)]
    with Tree(LATER_TOO) as t:
        configure(t, RELAY)
        t.launch()
        for mid in mids:
            send(t, mid, "alice@example.test", "x@later.test")
        until(lambda: len(copies(t)) == len(mids) and len([r for r in t.queue() if r["queue_name"] == "deferred"]) == len(mids))
        t.stop()
        made = entries(t)
        for n, mid in enumerate(mids):
            e = made[mid]
            assert len(e.ends) > 3, "no progress"
            e.cut(env=e.head + (len(e.bytes) - e.head) * n // (len(mids) - 1))
        t.launch()
        until(lambda: all(r["attempts"] > 0 and [x["address"] for x in r["recipients"]] == ["x@later.test"] for r in t.queue()))
        assert len(t.queue()) == len(mids)
        t.stop()
        assert copies(t) == {m: 1 for m in mids}, copies(t)


# ---- mailboxes ----

MODEL = "model"


class Box:
    """The mail folder of a user that does not exist yet, and the model's, from which its state is made."""

    def __init__(self, t, user):
        self.path, self.model = f"{t.dir}/mail/example.test/{user}", f"{t.dir}/mail/example.test/{MODEL}"

    def make(self, *folders):
        for folder in ("", *folders):
            os.makedirs(f"{self.path}/{folder}", mode=0o700, exist_ok=True)

    def copy(self, name, size=None, to=None):
        """A file of the model, so many octets of it."""
        with open(f"{self.model}/{name}", "rb") as f, open(f"{self.path}/{to or name}", "wb") as out:
            out.write(f.read()[:size])

    def give(self, owner):
        for top, folders, files in os.walk(self.path):
            for path in (top, *(f"{top}/{f}" for f in files)):
                shutil.chown(path, owner, owner)


def half_made(*steps):
    def make(b):
        b.make(*(s for s in steps if s in ("tmp", "new", "cur")))
        for s in steps:
            if isinstance(s, tuple):
                b.copy(*s)
    return make


EMPTY_UIDVALIDITY, LOCK = ("tayori-uidvalidity", 0), ("tayori-lock", 0)
DIRS = ("tmp", "new", "cur")
# a folder in its making: with one message to deliver, there is one at the end
MAKING = [
    ("nothing", lambda b: None),
    ("home", half_made()),
    ("tmp", half_made("tmp")),
    ("tmp new", half_made("tmp", "new")),
    ("tmp new cur", half_made(*DIRS)),
    ("lock", half_made(*DIRS, LOCK)),
    ("uidvalidity empty", half_made(*DIRS, LOCK, EMPTY_UIDVALIDITY)),
    ("uidvalidity torn", half_made(*DIRS, LOCK, ("tayori-uidvalidity", 4))),
    ("uidvalidity", half_made(*DIRS, LOCK, ("tayori-uidvalidity",))),
    ("record empty in tmp", half_made(*DIRS, LOCK, ("tayori-uidvalidity",), ("tayori-folder", 0, "tmp/tayori-folder.0123456789abcdef"))),
    ("record torn in tmp", half_made(*DIRS, LOCK, ("tayori-uidvalidity",), ("tayori-folder", 30, "tmp/tayori-folder.0123456789abcdef"))),
    ("record in tmp", half_made(*DIRS, LOCK, ("tayori-uidvalidity",), ("tayori-folder", None, "tmp/tayori-folder.0123456789abcdef"))),
    ("record", half_made(*DIRS, LOCK, ("tayori-uidvalidity",), ("tayori-folder",))),
    ("part of a delivery", half_made(*DIRS, LOCK, ("tayori-uidvalidity",), ("tayori-folder",), ("tayori-folder", 20, "tmp/1.T0123456789abcdef"))),
]


def add_users(t, users):
    with open(f"{t.dir}/etc/users", "r+") as f:
        hashed = f.readline().split(":", 1)[1]
        f.seek(0, os.SEEK_END)
        f.write("".join(f"{user}@example.test:{hashed}" for user in users))


def in_mailboxes(t, users):
    found = look(f"{t.dir}/queue", f"{t.dir}/mail")
    return {user: sorted(m for m, places in found.whole.items() for _ in range(places[user])) for user in users}


def test_mailbox_in_its_making():
    users = {f"making{n}": state for n, state in enumerate(MAKING)}
    half_given = "making99"  # as root made it, not yet given to its owner
    mids = {user: make_id(n, n, 5) for n, user in enumerate((*users, half_given), 1)}
    with Tree(LATER_TOO) as t:
        configure(t, RELAY)
        add_users(t, (MODEL, half_given, *users))
        t.launch()
        send(t, make_id(99, 0, 5), f"{MODEL}@example.test")
        until(t.drained)
        show(t, MODEL)
        t.stop()
        for user, (_, make) in users.items():
            make(box := Box(t, user))
            box.give("tayori-mail" if tree.suite.ROOT else os.geteuid())
        os.mkdir(Box(t, half_given).path, 0o700)
        t.launch()
        for user, mid in mids.items():
            send(t, mid, f"{user}@example.test")
        until(t.drained, 60)
        shown = {user: sorted(show(t, user).values()) for user in mids}
        t.stop()
        bad = [(users.get(user, "half given")[0], shown[user]) for user, mid in mids.items() if shown[user] != [mid]]
        assert not bad and shown == in_mailboxes(t, mids), (bad, t.queue())


def test_mailbox_uids():
    """UIDs are being given when the crash comes: those that were told stay, and each message has one."""
    old, new = [make_id(1, n, 5) for n in range(3)], [make_id(2, n, 5) for n in range(2)]
    with Tree(LATER_TOO) as t:
        configure(t, RELAY)
        users = [f"uids{n}" for n in range(8)]
        add_users(t, (MODEL, *users))
        t.launch()
        for mid in old:
            send(t, mid, f"{MODEL}@example.test")
        until(t.drained)
        told = show(t, MODEL)
        for mid in new:
            send(t, mid, f"{MODEL}@example.test")
        until(t.drained)
        model = Box(t, MODEL).path
        before = f"{t.dir}/before"
        t.stop()
        shutil.copytree(model, before)
        t.launch()
        after = show(t, MODEL)
        t.stop()
        record_before, record_after = (open(f"{d}/tayori-folder", "rb").read() for d in (before, model))
        added = record_after[len(record_before):]
        names = {re.search(rb"X-Ledger: (\S+)", open(f, "rb").read())[1].decode(): f for f in glob.glob(f"{model}/cur/*")}
        old_names = {m: f for f in glob.glob(f"{before}/new/*") for m in new if m.encode() in open(f, "rb").read()}

        def state(user, record, lock, renamed=()):
            box = Box(t, user)
            shutil.copytree(before, box.path)
            with open(f"{box.path}/tayori-folder", "wb") as f:
                f.write(record)
            with open(f"{box.path}/tayori-lock", "wb") as f:
                f.write(lock)
            for mid in renamed:
                os.rename(f"{box.path}/new/{os.path.basename(old_names[mid])}", f"{box.path}/cur/{os.path.basename(names[mid])}")
            if tree.suite.ROOT:
                box.give("tayori-mail")

        state(users[0], record_before, b"")
        state(users[1], record_before, b"\0")
        state(users[2], record_before + added[:len(added) // 2], b"\0")
        state(users[3], record_before + bytes(len(added)), b"\0")
        state(users[4], record_after, b"\0")
        state(users[5], record_after, b"\0", new[:1])
        state(users[6], record_after, b"\0", new)
        state(users[7], record_after, b"", new)
        t.launch()
        for user in users:
            shown = show(t, user)
            assert told.items() <= shown.items(), f"{user}: a UID that was told has changed"
            assert sorted(shown.values()) == sorted(old + new), (user, shown)
            assert show(t, user) == shown, f"{user}: UIDs change from one look to the next"
        assert show(t, users[7]) == after == show(t, users[6])
        t.stop()


if __name__ == "__main__":
    tree.main()
