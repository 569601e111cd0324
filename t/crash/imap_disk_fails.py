#!/usr/bin/env python3
"""IMAP on a disk whose flushes fail (EIO put in by strace), or that is full: NO and never a false OK, and all goes on afterwards."""
import os
import re

import tree
from flush_fails import injected
from full_disk import fill, small_disk
from imap_ledger import FLAGS, Book, Load, connect, dump, expected, make_folders, refusals
from ledger import make_id, message
from tree import Tree, until

MAIN = "front_tls_auth_only = no\nimap_sleep_after = 1s\n"


def append(c, folder, number, lines=4, flags=()):
    """The UID; None after NO."""
    a = c.cmd([f"APPEND {folder} ({' '.join(flags)}) ", message(make_id(9, number, lines)), b""])
    assert a.status in ("OK", "NO"), a
    return int(re.search(r"APPENDUID \d+ (\d+)", a.text)[1]) if a.status == "OK" else None


def mids(t, folder="INBOX", user="bob"):
    """UID -> number of the message."""
    return {uid: int(mid.split("-")[1]) for uid, (mid, _) in dump(t, (user,))[user, folder][1].items()}


def test_every_flush():
    with Tree(MAIN) as t:
        t.launch()
        make_folders(t)
        with connect(t, "bob") as c:
            first = [append(c, "INBOX", n) for n in range(4)]
            c.select("INBOX")
            c.ok(f"UID STORE {first[3]} +FLAGS.SILENT (\\Deleted)")
            with injected(t, "imapsession", "error=EIO") as count:
                before = count()
                refused = {}
                for what in ("APPEND", f"UID STORE {first[0]} FLAGS (\\Flagged)", f"UID STORE {first[0]} +FLAGS (fresh)", "EXPUNGE",
                             f"UID COPY {first[1]} Work", f"UID MOVE {first[2]} Work", "CREATE New"):
                    if what == "APPEND":
                        a = c.cmd(["APPEND INBOX ", message(make_id(9, 50, 30)), b""])
                    elif what == "EXPUNGE":
                        a = c.cmd(f"UID EXPUNGE {first[3]}")
                    else:
                        a = c.cmd(what)
                    refused[what.split(" ")[0] + what[-6:]] = a
                    assert c.ok("NOOP")
                injections = count() - before
            told = [f"{what}: {a.status} {a.text}" for what, a in refused.items()]
            assert injections >= len(told), (injections, told)
            assert all(a.status == "NO" for a in refused.values()), told
            # the disk works again: everything does, in the same session
            assert append(c, "INBOX", 60) > max(first)
            c.ok(f"UID STORE {first[0]} FLAGS (\\Answered fresh)")
            c.ok("LOGOUT")
        there = mids(t)
        moved = mids(t, "Work")
        assert 50 not in there.values() and 60 in there.values() and there[first[0]] == 0 and there[first[1]] == 1
        assert sorted([n for n in (*there.values(), *moved.values()) if n == 2]) == [2], (there, moved)
        print(f"  {injections} flushes failed: {told}")
        assert "panic" not in t.log()


def test_some_flushes():
    """What was answered is so; what was refused may be so in part; no UID names two messages."""
    book = Book()
    with Tree(MAIN) as t:
        t.launch()
        make_folders(t)
        with injected(t, "imapsession", "error=EIO:when=5+7") as count, Load(t, book, seed=2):
            until(lambda: book.count(False) > 25 and book.count() > 100, 40)
            injections = count()
        with Load(t, book, seed=3):
            n = book.count()
            until(lambda: book.count() > n + 60)
        e = expected(book.events)
        found = dump(t)
        e.check(found)
        # a refused APPEND leaves nothing
        gone = [op["mid"] for op in book.events if op.get("op") == "append" and any(r["n"] == op["n"] and r.get("ok") is False for r in book.events)]
        there = {mid for _, messages in found.values() for mid, _ in messages.values()}
        assert gone and not there & set(gone), there & set(gone)
        why = {re.sub(r"\d+", "N", w) for w in refusals(book)}
        print(f"  {injections} flushes failed: {book.count()} commands promised, {book.count(False)} refused: {sorted(why)[:4]}")
        assert all(w.startswith(("NO [UNAVAILABLE]", "NO [LIMIT]")) for w in why), why
        assert "panic" not in t.log()


def test_full():
    """APPEND, COPY and CREATE say that there is no room; reading and expunging work, and make room."""
    with Tree(MAIN) as t, small_disk(f"{t.dir}/mail", 0, "4M") as resize:
        os.system(f"chown tayori-mail: {t.dir}/mail")
        t.launch()
        make_folders(t, ("bob",))
        with connect(t, "bob") as c:
            uids = [append(c, "INBOX", n, 300, FLAGS[n % 2:2]) for n in range(20)]
            c.select("INBOX")
            fill(f"{t.dir}/mail", 0)
            a = c.cmd(["APPEND INBOX ", message(make_id(9, 90, 300)), b""])
            assert a.status == "NO" and "[OVERQUOTA]" in a.text, a
            a = c.cmd(["APPEND INBOX ", message(make_id(9, 91, 4)), b""])  # no room for one page
            assert a.status == "NO" and "[OVERQUOTA]" in a.text, a
            for what in "CREATE More", "UID COPY 1:* Work", "UID STORE 1 +FLAGS (neverseen)":
                a = c.cmd(what)
                assert a.status == "OK" or a.status == "NO" and "[OVERQUOTA]" in a.text, (what, a)
            assert len(c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])").fetched()) == 20
            c.cmd(f"UID STORE {uids[3]} +FLAGS (\\Flagged)")
            # another session, which finds no room for anything either
            with connect(t, "bob") as d:
                d.select("INBOX")
                assert len(d.ok("UID FETCH 1:* BODY.PEEK[]").fetched()) == 20
                d.ok(f"UID STORE {uids[0]}:{uids[9]} +FLAGS.SILENT (\\Deleted)")
                d.ok(f"UID EXPUNGE {uids[0]}:{uids[9]}")
                d.ok("LOGOUT")
            assert len(c.ok("NOOP").numbered("EXPUNGE")) == 10
            # there is room for some now, and with more room for all
            kept = append(c, "INBOX", 92, 30)
            resize("64M")
            more = [append(c, "INBOX", 100 + n, 300) for n in range(20)]
            assert kept and all(more) and min(more) > max(uids)
            c.ok("CREATE Evenmore")
            c.ok("LOGOUT")
        there = mids(t)
        assert {n for n in there.values() if n < 100} == {*range(10, 20), 92} and len(there) == 31, there
        assert "killed by" not in t.log() and "panic" not in t.log()
        assert "no mistakes" in t.ctl("tayori", "mailbox", "check", "bob@example.test")


def test_full_under_load():
    book = Book()
    with Tree(MAIN) as t, small_disk(f"{t.dir}/mail", 0, "3M") as resize:
        os.system(f"chown tayori-mail: {t.dir}/mail")
        t.launch()
        make_folders(t)
        with Load(t, book, seed=4):
            until(lambda: book.count(False) > 40, 40)
            resize("64M")
            n = book.count()
            until(lambda: book.count() > n + 60)
        expected(book.events).check(dump(t))
        why = {re.sub(r"\d+", "N", w) for w in refusals(book)}
        print(f"  full: {book.count()} commands promised, {book.count(False)} refused: {sorted(why)[:4]}")
        assert all(w.startswith("NO [OVERQUOTA]") for w in why), why
        assert "panic" not in t.log() and "killed by" not in t.log()


if __name__ == "__main__":
    tree.main()
