#!/usr/bin/env python3
"""kill -9 of IMAP sessions, of their parent and of all processes under load: what was answered is so, and stays so.

TAYORI_ROUNDS sets the number of rounds (10).
"""
import os
import random
import shutil
import signal
import time

import tree
from imap_ledger import Book, Load, dump, expected, make_folders, refusals
from tree import Tree, until

ROUNDS = int(os.environ.get("TAYORI_ROUNDS", "10"))
MAIN = "front_tls_auth_only = no\nimap_sleep_after = 1s\nservice_throttle_time = 1s\n"


def sessions(t):
    """The processes of sessions."""
    return [pid for parent in parents(t) for pid in tree.descendants(parent)[1:]]


def parents(t):
    try:
        return [pid for pid in t.pids()["imapsession"] if pid]
    except (AssertionError, KeyError, ValueError):
        return []


def kill_sessions(t, rng):
    """All of them, or one, some times over."""
    n = 0
    for _ in range(rng.randrange(2, 6)):
        time.sleep(rng.uniform(0.02, 0.3))
        pids = sessions(t)
        pids = pids if rng.random() < 0.4 else rng.sample(pids, min(len(pids), 1))
        tree.kill(pids, signal.SIGKILL)
        n += len(pids)
    return n


def kill_parent(t, rng):
    time.sleep(rng.uniform(0.2, 0.7))
    pids = parents(t)
    tree.kill(pids, signal.SIGKILL)
    time.sleep(rng.uniform(0.1, 0.3))
    return len(pids)


def kill_all(t, rng):
    time.sleep(rng.uniform(0.2, 0.9))
    n = t.kill_all()
    t.launch()
    return n


def test_the_ledger():
    """It sees what it is for."""
    put = dict(op="append", user="bob", folder="INBOX", flags=["\\Seen"])
    promised = [dict(put, n=1, mid="a"), dict(n=1, ok=True, uids=[1], validity=7),
                dict(op="move", user="bob", folder="INBOX", uids=[1], to="Work", n=2), dict(n=2, ok=True, uids=[5], validity=8)]
    begun = [dict(put, n=3, mid="b"), dict(op="move", user="bob", folder="Work", uids=[5], to="Keep", n=4)]
    seen, moved = frozenset(["\\Seen"]), {5: ("a", frozenset(["\\Seen"]))}

    def ok(events, inbox, work, keep=None, validity=8):
        found = {("bob", "INBOX"): (7, inbox), ("bob", "Work"): (validity, work), ("bob", "Keep"): (9, keep or {})}
        try:
            expected(events).check(found)
            return True
        except AssertionError:
            return False
    assert ok(promised, {}, moved)
    for inbox, work in ({}, {}), ({1: moved[5]}, {}), ({1: moved[5]}, moved), ({2: moved[5]}, moved), ({}, {6: moved[5]}), ({}, {5: ("b", seen)}), \
            ({}, {5: ("a", frozenset())}), ({}, {**moved, 6: moved[5]}):
        assert not ok(promised, inbox, work), (inbox, work)
    assert not ok(promised, {}, moved, validity=9)
    both = promised + begun
    assert ok(both, {}, moved) and ok(both, {9: ("b", seen)}, {}, {1: moved[5]})
    for inbox, work, keep in ({}, {}, {}), ({}, moved, {1: moved[5]}), ({8: ("b", seen), 9: ("b", seen)}, moved, {}), ({9: ("b", frozenset())}, moved, {}):
        assert not ok(both, inbox, work, keep), (inbox, work, keep)


def test_kill_imap():
    rng = random.Random(1)
    book, killed = Book(), 0
    with Tree(MAIN) as t:
        t.launch()
        make_folders(t)
        for n in range(ROUNDS):
            how = (kill_sessions, kill_all, kill_sessions, kill_parent)[n % 4]
            with Load(t, book, seed=n + 1):
                killed += how(t, rng)
            expected(book.events).check(dump(t, tls=n % 2 == 0))
        e, last = expected(book.events), dump(t)
        # the index says what the files say: it is built anew from them
        until(lambda: not sessions(t))
        for user in "alice", "bob":
            assert "no mistakes" in t.ctl("tayori", "mailbox", "check", f"{user}@example.test")
            shutil.rmtree(f"{t.mail(user)}/tayori-index")
        again = dump(t)
        e.check(again)
        assert again == last
        unknown = sum("op" in e for e in book.events) - book.count() - book.count(False)
        there = sum(len(messages) for _, messages in last.values())
        print(f"  rounds {ROUNDS}, killed {killed} processes; {book.count()} commands promised, {unknown} without an answer, "
              f"{book.count(False)} refused; {there} messages")
        assert book.count() > 20 * ROUNDS and not refusals(book), set(refusals(book))
        assert "panic" not in t.log()


if __name__ == "__main__":
    tree.main()
