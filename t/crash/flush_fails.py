#!/usr/bin/env python3
"""Flushes that fail (EIO put in by strace): 451 and never a false 250; mail for a mailbox waits and arrives later, once."""
import contextlib
import os
import re
import signal
import subprocess
import time

import tree
from ledger import Client, Load, audit, look, make_id
from tree import MIXED, Tree, until

FLUSHES = "fsync,fdatasync,syncfs"
SOON = "minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n"


@contextlib.contextmanager
def injected(t, daemon, what):
    """Each flush of the daemon and its children meets `what`; yields a function that tells how many did."""
    if "error" in what:
        what += ":syscall=getpid"  # the call that strace puts in place of a failing one must be one that seccomp allows
    tree.suite.need("strace")
    if not tree.suite.ROOT:
        raise tree.suite.Skip("only root may trace the daemons")
    trace, said = f"{t.dir}/log/strace", f"{t.dir}/log/strace.err"
    with open(said, "w") as err:
        s = subprocess.Popen(["strace", "-f", "-o", trace, "-e", f"trace={FLUSHES}", "-e", f"inject={FLUSHES}:{what}",
                              *(f"-p{pid}" for pid in tree.descendants(t.pids()[daemon][0]))], stderr=err)
    try:
        until(lambda: "attached" in open(said).read() or s.poll() is not None)
        if s.poll() is not None:
            raise tree.suite.Skip(f"strace: {open(said).read()}")
        yield lambda: open(trace).read().count("(INJECTED)") + open(trace).read().count("(DELAYED)")
    finally:
        s.send_signal(signal.SIGTERM)
        s.wait(20)


def send(t, run, lines, *recipients):
    """One message. Its ledger."""
    load = Load(t.smtp, [recipients])
    client = Client(t.smtp)
    load.send(client, make_id(run, 0, lines), recipients)
    client.close()
    return load


def test_queue_every_flush():
    with Tree(SOON) as t:
        t.launch()
        loads = [send(t, 1, 30, "alice@example.test")]
        with injected(t, "qmgr", "error=EIO") as count:
            for n, lines in enumerate((4, 30, 2000)):
                bad = send(t, 10 + n, lines, "alice@example.test", "x@later.test")
                assert list(bad.refused.values())[0].startswith("451 4.3.0"), bad.__dict__
            with Load(t.smtp, MIXED, run=20, connections=8) as many:  # more than two at a time: another way to flush
                until(lambda: len(many.refused) > 50)
            assert not many.acked, many.acked
            assert all(w.startswith("451 4.3.0") for w in many.refused.values()), set(many.refused.values())
            injections = count()
        loads.append(send(t, 2, 30, "alice@example.test"))
        assert loads[0].acked and loads[1].acked
        until(t.drained, 60)
        t.stop()
        found = look(f"{t.dir}/queue", f"{t.dir}/mail")
        assert sorted(found.whole) == [make_id(n, 0, 30) for n in (1, 2)], sorted(found.whole)
        assert not found.torn and not os.listdir(f"{t.dir}/queue/env")
        print(f"every flush failed ({injections}): {len(many.refused) + 3} refused with 451, none accepted, nothing left of them")


def test_queue_some_flushes():
    """New mail and progress: what was promised is delivered once, whatever could not be noted meanwhile."""
    with Tree(SOON) as t:
        t.launch()
        with injected(t, "qmgr", "error=EIO:when=2+3") as count, Load(t.smtp, MIXED, connections=6) as load:
            until(lambda: len(load.acked) > 100 and len(load.refused) > 20, 40)
            injections = count()
        assert "its progress cannot be written" in t.log()
        until(t.drained, 60)
        t.stop()
        result = audit([load], t.dir)
        found = look(f"{t.dir}/queue", f"{t.dir}/mail")
        print(f"some flushes failed ({injections}): {result}, refused {len(load.refused)}")
        assert all(w.startswith("451 4.3.0") for w in load.refused.values()), set(load.refused.values())
        assert not [m for m in load.refused if found.whole.get(m)], "refused and delivered"
        result.check()
        assert not result.twice, result.twice


def test_mailbox():
    with Tree(SOON) as t:
        t.launch()
        loads = [send(t, 1000, 30, "alice@example.test")]
        until(lambda: not t.queue())
        with injected(t, "local", "error=EIO") as count:
            loads += [send(t, 1001 + n, lines, "alice@example.test", "bob@example.test") for n, lines in enumerate((4, 2000))]
            t.wait_log(r"to=<bob@example.test>.*dsn=4.3.0, status=deferred")
            t.wait_log(r"to=<alice@example.test>.*dsn=4.3.0, status=deferred")
            assert count() > 0 and len(t.queue()) == 2
            assert t.counts("alice") == [1]
        until(lambda: not t.queue(), 60)
        assert t.counts() == [3, 2]
        with injected(t, "local", "error=EIO:when=3+4") as count, Load(t.smtp, MIXED[:2] + MIXED[3:4], connections=4) as load:
            until(lambda: count() > 20, 60)
        until(lambda: not t.queue(), 60)
        t.stop()
        result = audit(loads + [load], t.dir)
        print(f"flushes of mailboxes failed: {result}")
        assert not load.refused and "status=bounced" not in t.log()
        result.check()
        assert not result.twice, result.twice


def test_orphan():
    """local is killed while a delivery hangs in a flush: that one never ends, the next local's does."""
    with Tree(SOON) as t:
        t.launch()
        loads = [send(t, 1000, 30, "alice@example.test")]
        until(lambda: not t.queue())
        with injected(t, "local", "delay_enter=2500000"):
            loads.append(send(t, 1001, 30, "alice@example.test"))
            until(lambda: re.search(r"fsync\(", open(f"{t.dir}/log/strace").read()))
            tree.kill(t.pids()["local"], signal.SIGKILL)
            until(lambda: not t.queue(), 60)
        time.sleep(3)
        assert t.counts("alice") == [2], t.counts("alice")
        t.stop()
        result = audit(loads, t.dir)
        result.check()
        assert not result.twice


if __name__ == "__main__":
    tree.main()
