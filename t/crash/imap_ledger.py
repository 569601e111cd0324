"""A ledger of promises for IMAP: clients that note what they asked and what was answered, and a comparison with what is there.

    book = Book()
    with Load(t, book): ...              # clients append, store, expunge, move and copy until the block ends
    expected(book.events).check(dump(t)) # whatever was answered is so, and nothing is that may not be

Each event is a line of JSON: {"n": 7, "op": "store", ...} when the command is sent, {"n": 7, "ok": true, ...} when it was
answered. A command without an answer may have been done or not, for each of its messages. A client changes only messages that it
has put there itself, and none any more whose fate it does not know.
"""
import collections
import itertools
import json
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "suite"))
import ledger  # noqa: E402
from imapwire import Imap  # noqa: E402

FOLDERS = ["INBOX", "Work", "Keep"]
SYSTEM = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft"]
FLAGS = SYSTEM + ["urgent", "later"]


class Book:
    """mark: a file that hears of each event at once (the recorder of power_cut.py)."""

    def __init__(self, mark=None):
        self.events, self.lock, self.numbers = [], threading.Lock(), itertools.count(1)
        self.mark = os.open(mark, os.O_WRONLY) if mark else -1

    def note(self, event):
        with self.lock:
            self.events.append(event)
            if self.mark >= 0:
                os.write(self.mark, json.dumps(event).encode())

    def begin(self, **op):
        op["n"] = next(self.numbers)
        self.note(op)
        return op["n"]

    def end(self, n, ok, **result):
        self.note(dict(n=n, ok=ok, **result))

    def count(self, ok=True):
        return sum(e.get("ok") == ok for e in self.events)


class Item:
    """A message in a folder: present is True, False, or None when that is not known; flags: those it may have."""

    def __init__(self, mid, flags):
        self.mid, self.flags, self.present = mid, {frozenset(flags)}, True


class Loose:
    """A message that may be in a folder, under a UID that was not told. source: where it is if it is not here (a move)."""

    def __init__(self, mid, flags, user, folder, source=None):
        self.mid, self.flags, self.where, self.source = mid, flags, (user, folder), source


class Expected:
    def __init__(self):
        self.items, self.loose, self.validity, self.promises = {}, [], {}, 0
        self.sure = True  # of commands that were not answered, or with NO: done, or not

    def new(self, user, folder, uid, mid, flags):
        key = user, folder, uid
        assert key not in self.items, f"UID {key} was given to {self.items[key].mid} and to {mid}"
        self.items[key] = Item(mid, ())
        self.items[key].flags = set(flags)

    def known(self, user, folder, validity):
        assert self.validity.setdefault((user, folder), validity) == validity, f"UIDVALIDITY of {user} {folder} has changed"

    def done(self, op, result):
        user, kind = op["user"], op["op"]
        self.promises += 1
        if kind == "store":
            for uid in op["uids"]:
                self.items[user, op["folder"], uid].flags = {frozenset(op["flags"])}
        elif kind == "expunge":
            for uid in op["uids"]:
                self.items[user, op["folder"], uid].present = False
        elif kind == "append":
            self.known(user, op["folder"], result["validity"])
            self.new(user, op["folder"], result["uids"][0], op["mid"], {frozenset(op["flags"])})
        else:
            self.known(user, op["to"], result["validity"])
            for uid, to in zip(op["uids"], result["uids"], strict=True):
                item = self.items[user, op["folder"], uid]
                self.new(user, op["to"], to, item.mid, item.flags)
                item.present = kind != "move"

    def maybe(self, op):
        user, kind, folder = op["user"], op["op"], op["folder"]
        if kind == "append":
            self.loose.append(Loose(op["mid"], {frozenset(op["flags"])}, user, folder))
            return
        for uid in op["uids"]:
            item = self.items[user, folder, uid]
            if kind == "store":
                item.flags = item.flags | {frozenset(op["flags"])}
            elif kind == "expunge":
                item.present, item.flags = None, item.flags | {f | {"\\Deleted"} for f in item.flags}
            else:
                self.loose.append(Loose(item.mid, item.flags, user, op["to"], kind == "move" and (user, folder, uid)))
                item.present = None if kind == "move" else item.present

    def check(self, found):
        """found: (user, folder) -> (UIDVALIDITY, {uid: (mid, flags)})."""
        wrong, rest = [], {}
        for (user, folder), (validity, messages) in found.items():
            self.known(user, folder, validity)
            rest.update({(user, folder, uid): m for uid, m in messages.items()})
        for key, item in self.items.items():
            mid, flags = rest.pop(key, (None, None))
            if mid and mid != item.mid:
                wrong.append(f"{key} was {item.mid}, is {mid}")
            elif mid and item.present is False:
                wrong.append(f"{key} {mid} is there again")
            elif not mid and item.present:
                wrong.append(f"{key} {item.mid} is lost")
            elif mid and flags not in item.flags:
                wrong.append(f"{key} {mid} has {sorted(flags)}, not one of {[sorted(f) for f in item.flags]}")
            item.seen = mid is not None
        wrong += self.check_loose(rest)
        assert not wrong, "\n".join(wrong[:10])

    def check_loose(self, rest):
        wrong, places = [], collections.defaultdict(list)
        for key, (mid, flags) in rest.items():
            places[mid, key[:2]].append((key, flags))
        # one mail may be moved to a folder from several: those that have left must be there; then what is over may be a copy's
        gone = [x for x in self.loose if x.source and not self.items[x.source].seen]
        for loose in gone + [x for x in self.loose if not x.source]:
            here = places.get((loose.mid, loose.where), [])
            at = next((i for i, (_, flags) in enumerate(here) if flags in loose.flags), None)
            if at is not None:
                here.pop(at)
            elif loose.source:
                wrong.append(f"{loose.mid} is in neither of {loose.source} and {loose.where}")
        wrong += [f"{key} {mid} {sorted(flags)} is there, and nobody put it there" for (mid, _), here in places.items() for key, flags in here]
        return wrong


def expected(events):
    """What must be, after these events."""
    e, open_ops = Expected(), {}
    for event in events:
        if "op" in event:
            open_ops[event["n"]] = event
        elif event["ok"]:
            e.done(open_ops.pop(event["n"]), event)
        # what was refused stays open: it may have been done in part
    for op in open_ops.values():
        e.maybe(op)
    return e


def connect(t, user, tls=False, timeout=30):
    return Imap(t.imaps if tls else t.imap, t.context() if tls else None, user=f"{user}@example.test", timeout=timeout)


def dump_folder(c, folder):
    validity = int(re.search(r"UIDVALIDITY (\d+)", str(c.select(folder).untagged))[1])
    messages = {}
    for _, item in c.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])").fetched():
        text = item["BODY[]"].replace(b"\r\n", b"\n")
        mid = ledger.ID.search(text)
        mid = mid and mid[1].decode()
        assert mid and text.endswith(b"\n\n" + ledger.body(mid).encode()), f"{folder} {item['UID']} is torn: {text[:200]}"
        assert int(item["UID"]) not in messages, "one UID twice"
        messages[int(item["UID"])] = mid, frozenset(item["FLAGS"]) - {"\\Recent"}
    return validity, messages


def dump(t, users=("alice", "bob"), tls=False):
    found = {}
    for user in users:
        with connect(t, user, tls) as c:
            for folder in FOLDERS:
                found[user, folder] = dump_folder(c, folder)
            c.ok("LOGOUT")
    return found


def make_folders(t, users=("alice", "bob")):
    for user in users:
        with connect(t, user) as c:
            for folder in FOLDERS[1:]:
                c.ok(f"CREATE {folder}")
            c.ok("LOGOUT")


class Refused(Exception):
    pass


class Worker(threading.Thread):
    """A client, which comes back when its connection breaks."""

    def __init__(self, load, number, user, tls):
        super().__init__(daemon=True)
        self.load, self.number, self.user, self.tls = load, number, user, tls
        self.rng = random.Random(load.seed * 100 + number)
        self.mine = collections.defaultdict(list)  # folder -> UIDs
        self.ids = itertools.count()
        self.failure = None

    def run(self):
        while not self.load.stopped.is_set():
            try:
                with connect(self.load.t, self.user, self.tls) as c:
                    self.session(c)
            except (OSError, AssertionError) as why:  # no login now, or the connection has ended
                if isinstance(why, AssertionError) and "LOGIN" not in str(why):
                    self.failure = why
                    return
                time.sleep(0.02)
            except Refused:
                pass
            except Exception as why:
                self.failure = why
                return

    def session(self, c):
        while not self.load.stopped.is_set():
            folder = self.rng.choice(FOLDERS)
            a = c.cmd(f"SELECT {folder}")
            if a.status != "OK":
                raise ConnectionError(a.text)
            for _ in range(self.rng.randrange(3, 9)):
                if self.load.stopped.is_set():
                    return
                self.step(c, folder)

    def step(self, c, folder):
        mine = self.mine[folder]
        kind = self.rng.choice(["append", "append", "store", "store", "expunge", "move", "copy"])
        if kind == "append" or not mine:
            self.append(c, self.rng.choice(FOLDERS))
            return
        uids = sorted(self.rng.sample(mine, min(len(mine), self.rng.choice([1, 1, 2, 4]))))
        to = self.rng.choice([f for f in FOLDERS if f != folder])
        for uid in uids:  # until it is answered nobody knows
            mine.remove(uid)
        texts = ",".join(map(str, uids))
        if kind == "store":
            flags = self.rng.sample(FLAGS, self.rng.randrange(4))
            self.ask(c, [f"UID STORE {texts} FLAGS.SILENT ({' '.join(flags)})"], op="store", folder=folder, uids=uids, flags=flags)
            mine += uids
        elif kind == "expunge":
            self.ask(c, [f"UID STORE {texts} +FLAGS.SILENT (\\Deleted)", f"UID EXPUNGE {texts}"], op="expunge", folder=folder, uids=uids)
        else:
            got = self.ask(c, [f"UID {kind.upper()} {texts} {to}"], op=kind, folder=folder, uids=uids, to=to)
            self.mine[to] += got
            mine += uids if kind == "copy" else []

    def append(self, c, to):
        mid = ledger.make_id(self.load.seed * 16 + self.number, next(self.ids), self.rng.choice([4, 30, 300]))
        flags = self.rng.sample(FLAGS, self.rng.randrange(3))
        command = [f"APPEND {to} ({' '.join(flags)}) ", ledger.message(mid), b""]
        self.mine[to] += self.ask(c, [command], op="append", folder=to, mid=mid, flags=flags)

    def ask(self, c, commands, **op):
        """UIDs that were told. Raises when there was no OK."""
        n = self.load.book.begin(user=self.user, **op)
        for command in commands:
            a = c.cmd(command)
            if a.status != "OK":
                self.load.book.end(n, False, why=f"{a.status} {a.text}")
                raise Refused(a.text)
        # COPYUID of a MOVE comes before the answer
        told = re.search(r"(?:APPENDUID|COPYUID) (\d+) ([\d,:]+)(?: ([\d,:]+))?", a.text + str([u for u in a.untagged if u and u[0] == "OK"]))
        result = dict(uids=spread(told[3] or told[2]), validity=int(told[1])) if told else {}
        if told and told[3]:
            assert spread(told[2]) == op["uids"], (told[0], op)
        self.load.book.end(n, True, **result)
        return result.get("uids", [])


def spread(text):
    """'3:5,9' as a list."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out += range(int(first), int(last or first) + 1)
    return out


class Load:
    def __init__(self, t, book, seed=1, users=("alice", "alice", "alice", "bob")):
        self.t, self.book, self.seed, self.stopped = t, book, seed, threading.Event()
        self.workers = [Worker(self, i, user, i % 2 == 1) for i, user in enumerate(users)]

    def __enter__(self):
        for w in self.workers:
            w.start()
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        for w in self.workers:
            w.join(40)
        assert kind or not any(w.is_alive() for w in self.workers), "a client hangs"
        for w in self.workers:
            if w.failure and not kind:
                raise w.failure


def refusals(book):
    return [e["why"] for e in book.events if e.get("ok") is False]
