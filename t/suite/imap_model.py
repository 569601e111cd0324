#!/usr/bin/env python3
"""Several sessions on one mailbox, a random stream of commands, and a model that the test keeps: what the server says and what it
keeps must be what the model has, after every command. Programs that know nothing of us change the files meanwhile.

TAYORI_MODEL_SECONDS (60 here) and TAYORI_MODEL_SEED choose how long and which stream."""
import glob
import os
import random
import re
import time

import suite
from imapwire import Answer, Imap
from suite import Instance

SECONDS = float(os.environ.get("TAYORI_MODEL_SECONDS", "60"))
SEED = int(os.environ.get("TAYORI_MODEL_SEED", str(time.time_ns() % 1000000)))
SYSTEM = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
KEYWORDS = ["$Label1", "Work", "NonJunk", "$Forwarded"]
LETTERS = dict(zip("DFPRST", ["\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen", "\\Deleted"]))


class Folder:
    """The truth: uid -> flags (lower case), and the text that each message has in its subject."""
    def __init__(self):
        self.flags, self.text, self.last = {}, {}, 0


class Session:
    """What a client knows of its selected folder by what it was told."""
    def __init__(self, t, number):
        self.t, self.number = t, number
        self.open()

    def open(self):
        self.c = Imap(self.t.imaps, self.t.context()) if self.number % 2 else Imap(self.t.imap)
        self.folder, self.view, self.modseq, self.condstore = None, [], 0, False

    def take(self, a, expunges=True):
        """Follows the untagged answers, in order."""
        for u in a.untagged:
            if len(u) < 2 or not str(u[0]).isdigit():
                continue
            n, what = int(u[0]), str(u[1]).upper()
            if what == "EXPUNGE":
                assert expunges, ("EXPUNGE at the wrong time", a)
                assert 1 <= n <= len(self.view), (n, len(self.view), a)
                del self.view[n - 1]
            elif what == "EXISTS":
                assert n >= len(self.view), (n, self.view, a)
                self.view += [[None, None] for _ in range(n - len(self.view))]
            elif what == "FETCH":
                assert 1 <= n <= len(self.view), (n, len(self.view), a)
                got = {str(u[2][i]).upper(): u[2][i + 1] for i in range(0, len(u[2]) - 1, 2)}
                if "UID" in got:
                    assert self.view[n - 1][0] in (None, int(got["UID"])), ("a number names another message", n, got, self.view[n - 1])
                    self.view[n - 1][0] = int(got["UID"])
                if "FLAGS" in got:
                    self.view[n - 1][1] = {f.lower() for f in got["FLAGS"] if f.lower() != "\\recent"}
                if "MODSEQ" in got and "FLAGS" in got:
                    self.modseq = max(self.modseq, int(got["MODSEQ"][0]))

    def run(self, text, expunges=True, status="OK"):
        a = self.c.cmd(text)
        self.take(a, expunges)
        assert a.status == status or status is None, (text, a)
        return a

    def select(self, folder, condstore):
        self.folder, self.view = folder, []
        a = self.c.ok(f"SELECT {folder}" + (" (CONDSTORE)" if condstore else ""))
        self.condstore = self.condstore or condstore
        self.take(a)
        if self.view:
            self.run("FETCH 1:* (UID FLAGS)", expunges=False)


class Model:
    def __init__(self, t, rnd):
        self.t, self.rnd = t, rnd
        self.folders = {"INBOX": Folder(), "Work": Folder()}
        self.sessions = [Session(t, i) for i in range(4)]
        self.sessions[0].c.ok("CREATE Work")
        self.serial = 0
        self.counts, self.last = {}, []
        for i, s in enumerate(self.sessions):
            s.select("INBOX" if i < 3 else "Work", i % 2 == 1)

    # ---- what a session does ----

    def some(self, s):
        """Some rows of the view whose UID is known: [(number, uid)]."""
        known = [(i + 1, uid) for i, (uid, _) in enumerate(s.view) if uid]
        return sorted(self.rnd.sample(known, min(len(known), self.rnd.choice([1, 1, 2, 5, 30]))))

    def sets(self, s, chosen):
        """A command prefix and a set, by number or by UID. Numbers only when the session has been told all."""
        uid = self.rnd.random() < 0.5
        return ("UID " if uid else ""), ",".join(str(u if uid else n) for n, u in chosen)

    def alive(self, s, chosen):
        return [u for _, u in chosen if u in self.folders[s.folder].flags]

    def store(self, s):
        chosen = self.some(s)
        if not chosen:
            return
        flags = self.rnd.sample(SYSTEM + KEYWORDS, self.rnd.choice([1, 1, 2, 3]))
        how = self.rnd.choice(["+", "-", ""])
        silent = self.rnd.choice(["", ".SILENT"])
        prefix, numbers = self.sets(s, chosen)
        a = s.run(f"{prefix}STORE {numbers} {how}FLAGS{silent} ({' '.join(flags)})", expunges=bool(prefix), status=None)
        gone = len(self.alive(s, chosen)) < len(chosen)
        assert a.status == "OK" or gone, a
        low = {f.lower() for f in flags}
        f = self.folders[s.folder]
        for u in self.alive(s, chosen):
            f.flags[u] = f.flags[u] | low if how == "+" else f.flags[u] - low if how == "-" else set(low)
            if silent:
                for row in s.view:
                    if row[0] == u:
                        row[1] = set(f.flags[u])

    def append(self, s):
        folder = self.rnd.choice(list(self.folders))
        flags = self.rnd.sample(SYSTEM + KEYWORDS, self.rnd.choice([0, 0, 1, 2]))
        self.serial += 1
        text = f"m{self.serial}"
        a = s.run([f"APPEND {folder} ({' '.join(flags)}) ", f"Subject: {text}\r\n\r\n".encode() + b"x\r\n" * self.rnd.choice([1, 100, 3000]), b""])
        self.born(folder, int(re.search(r"APPENDUID \d+ (\d+)", a.text)[1]), {f.lower() for f in flags}, text)

    def born(self, folder, uid, flags, text):
        f = self.folders[folder]
        assert uid > f.last, ("a UID was used twice, or went down", uid, f.last)
        f.last = uid
        f.flags[uid], f.text[uid] = flags, text

    def expunge(self, s):
        f = self.folders[s.folder]
        if self.rnd.random() < 0.5 and (chosen := self.some(s)):
            numbers = ",".join(str(u) for _, u in chosen)
            doomed = [u for u in self.alive(s, chosen) if "\\deleted" in f.flags[u]]
            s.run(f"UID EXPUNGE {numbers}")
        else:
            doomed = [u for u in f.flags if "\\deleted" in f.flags[u]]
            s.run("EXPUNGE")
        for u in doomed:
            del f.flags[u], f.text[u]

    def copy(self, s, move=False):
        chosen = self.some(s)
        if not chosen:
            return
        target = self.rnd.choice(list(self.folders))
        if move and target == s.folder:
            return
        prefix, numbers = self.sets(s, chosen)
        alive = self.alive(s, chosen)
        a = s.run(f"{prefix}{'MOVE' if move else 'COPY'} {numbers} {target}", status=None)
        code = re.search(r"COPYUID \d+ (\S+) (\S+)\]", " ".join([a.text] + [u[1] for u in a.untagged if u[0] == "OK"]))
        assert (a.status == "OK" and (code or not alive)) or len(alive) < len(chosen), a
        if not code:
            return
        pairs = list(zip(expand(code[1]), expand(code[2])))
        assert len(expand(code[1])) == len(expand(code[2])) and {a for a, _ in pairs} == set(alive), (pairs, alive)
        f = self.folders[s.folder]
        for old, new in sorted(pairs, key=lambda p: p[1]):
            self.born(target, new, set(f.flags[old]), f.text[old])
            if move:
                del f.flags[old], f.text[old]

    def move(self, s):
        self.copy(s, True)

    def search(self, s):
        self.settle(s)
        flag = self.rnd.choice(SYSTEM + KEYWORDS)
        key = {"\\": f"{flag[1:].upper()}"}.get(flag[0], f"KEYWORD {flag}")
        f = self.folders[s.folder]
        got = {int(x) for x in s.run(f"UID SEARCH {key}").named("SEARCH")[0]}
        assert got == {u for u in f.flags if flag.lower() in f.flags[u]}, (key, got, f.flags)
        if f.text:
            u = self.rnd.choice(list(f.text))
            got = s.run(f"UID SEARCH UID {u} SUBJECT {f.text[u]}").named("SEARCH")[0]
            assert [str(u)] == got, (u, got)

    def since(self, s):
        """CHANGEDSINCE tells each change since then, and what it tells is so."""
        if not s.condstore or not s.view:
            return
        self.settle(s)
        before = s.modseq
        a = s.run(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")
        f = self.folders[s.folder]
        for _, i in a.fetched():
            assert int(i["MODSEQ"][0]) > before and {x.lower() for x in i["FLAGS"]} - {"\\recent"} == f.flags[int(i["UID"])]

    def reopen(self, s):
        self.settle(s)
        s.select(self.rnd.choice(list(self.folders)), self.rnd.random() < 0.5)
        self.check(s)

    def idle(self, s):
        tag, early = s.c.begin("IDLE")
        while (got := s.c.response())[0] != "+":
            early.append(got[1])
        s.take(Answer("OK", "", early))
        other = self.rnd.choice(self.sessions)
        if other is not s:
            self.store(other)
            self.append(other)
        s.c.sock.sendall(b"DONE\r\n")
        s.take(s.c.wait(tag))

    def reconnect(self, s):
        s.c.ok("LOGOUT") if self.rnd.random() < 0.5 else s.c.sock.close()
        s.open()
        s.select(self.rnd.choice(list(self.folders)), self.rnd.random() < 0.5)

    # ---- what a program does that knows nothing of us ----

    def path(self, folder):
        return self.t.mail() + ("" if folder == "INBOX" else "/." + folder)

    def drop(self, _):
        folder = self.rnd.choice(list(self.folders))
        self.serial += 1
        name = f"{int(time.time())}.{self.serial}_{os.getpid()}.script"
        new = f"{self.path(folder)}/tmp/{name}"
        with open(new, "w") as f:
            f.write(f"Subject: m{self.serial}\n\nby a script\n")
        uid = os.stat(self.path(folder)).st_uid
        os.chown(new, uid, -1) if os.geteuid() == 0 else None
        os.rename(new, f"{self.path(folder)}/new/{name}")
        self.learn(folder, f"m{self.serial}", set())

    def learn(self, folder, text, flags):
        """The UID that the dropped message has got, from a session that looks."""
        s = self.rnd.choice(self.sessions)
        if s.folder != folder:
            self.settle(s)
            s.select(folder, False)
        s.run("NOOP")
        for uid in sorted(u for u in self.ask_uids(s) if u > self.folders[folder].last):
            self.born(folder, uid, flags, text)
        assert self.folders[folder].text.get(self.folders[folder].last) == text, (folder, text)

    def ask_uids(self, s):
        return [int(i["UID"]) for _, i in s.run("UID FETCH 1:* (UID FLAGS)").fetched()] if s.view else []

    def cur(self, folder):
        return glob.glob(self.path(folder) + "/cur/*,T=*")

    def rename(self, _):
        """Flags change as mutt would change them."""
        folder = self.rnd.choice(list(self.folders))
        files = self.cur(folder)
        if not files:
            return
        old = self.rnd.choice(files)
        uid = int(re.search(r",T=\d+\.(\d+):", old)[1])
        base, _, letters = old.rpartition(":2,")
        ours = {c for c in letters if c in LETTERS}
        ours ^= {self.rnd.choice(list(LETTERS))}
        keep = "".join(sorted(ours)) + "".join(sorted(c for c in letters if c.islower()))
        os.rename(old, f"{base}:2,{keep}")
        f = self.folders[folder]
        if uid in f.flags:
            words = {x.lower() for x in LETTERS.values()}
            f.flags[uid] = {x for x in f.flags[uid] if x not in words} | {LETTERS[c].lower() for c in ours}
        self.noticed()

    def unlink(self, _):
        folder = self.rnd.choice(list(self.folders))
        files = self.cur(folder)
        if not files:
            return
        old = self.rnd.choice(files)
        uid = int(re.search(r",T=\d+\.(\d+):", old)[1])
        os.unlink(old)
        self.folders[folder].flags.pop(uid, None)
        self.folders[folder].text.pop(uid, None)
        self.noticed()

    def noticed(self):
        """A change by another program that falls between two of ours is found within seconds, not at once."""
        end = time.monotonic() + 10
        while True:
            try:
                for s in self.sessions:
                    self.settle(s)
                return
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    # ---- the truth ----

    def settle(self, s):
        s.run("NOOP")
        self.check(s)

    def check(self, s):
        f = self.folders[s.folder]
        if any(uid is None or flags is None for uid, flags in s.view):
            s.run("FETCH 1:* (UID FLAGS)" if s.view else "NOOP", expunges=not s.view)
        assert [row[0] for row in s.view] == sorted(f.flags), (s.number, s.folder, [r[0] for r in s.view], sorted(f.flags))
        for uid, flags in s.view:
            assert flags == f.flags[uid], (s.number, s.folder, uid, flags, f.flags[uid])

    def step(self):
        table = [(self.store, 30), (self.append, 12), (self.expunge, 6), (self.copy, 6), (self.move, 6), (self.search, 6), (self.since, 6),
                 (self.idle, 3), (self.reopen, 3), (self.reconnect, 1), (self.drop, 3), (self.rename, 3), (self.unlink, 2)]
        what = self.rnd.choices([f for f, _ in table], [w for _, w in table])[0]
        s = self.rnd.choice(self.sessions)
        self.last = (self.last + [(what.__name__, s.number, s.folder)])[-6:]
        self.counts[what.__name__] = self.counts.get(what.__name__, 0) + 1
        what(s)
        self.settle(s) if self.rnd.random() < 0.7 else None


def expand(numbers):
    out = []
    for part in numbers.split(","):
        a, _, b = part.partition(":")
        out += range(int(a), int(b or a) + 1)
    return out


def test_model():
    print(f"seed {SEED}")
    with Instance("front_tls_auth_only = no") as t:
        m = Model(t, random.Random(SEED))
        end = time.monotonic() + SECONDS
        steps = 0
        try:
            while time.monotonic() < end:
                m.step()
                steps += 1
            for s in m.sessions:
                m.settle(s)
        except BaseException:
            print(f"seed {SEED}, step {steps}, {m.last}")
            raise
        for s in m.sessions:
            f = m.folders[s.folder]
            for _, i in s.run("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").fetched() if s.view else []:
                assert i["BODY[HEADER.FIELDS (SUBJECT)]"] == f"Subject: {f.text[int(i['UID'])]}\r\n\r\n".encode(), i
        print(steps, "steps:", m.counts)


if __name__ == "__main__":
    suite.main()
