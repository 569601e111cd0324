#!/usr/bin/env python3
"""kill -9 of each daemon alone, twice, under load: nothing is lost, nobody is refused a connection, mail flows on."""
import json
import os
import poplib
import re
import signal
import socket
import threading
import time

import tree
from ledger import Client, Load, audit, look, make_id
from tree import MIXED, Tree, until

TIMES = int(os.environ.get("TAYORI_TIMES", "2"))


class Knocker:
    """Connects to each port every 20 ms and measures how long connect() takes; whether anybody greets is not its matter."""

    def __init__(self, *ports):
        self.ports, self.worst, self.knocks, self.refused = ports, 0.0, 0, []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(p,), daemon=True) for p in ports]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join()

    def work(self, port):
        while not self.stopped.wait(0.02):
            begin = time.monotonic()
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError as why:
                self.refused.append((port, str(why)))
            self.worst = max(self.worst, time.monotonic() - begin)
            self.knocks += 1


def rows(t):
    return json.loads(t.ctl("tayori", "status", "--json", check=False).stdout)


def mail_flows(t, load, n):
    """A message is taken, and arrives."""
    def try_one():
        try:
            c = Client(t.smtp, 2)
        except (OSError, Client.Refused):
            return False
        try:
            mid = make_id(1000 + n, load.tries, 4)
            load.tries += 1
            return load.send(c, mid, ("alice@example.test",)) and mid
        finally:
            c.close()
    mid = until(try_one, 60, 0.01)
    arrived = lambda: any(mid in text for text in heads(f"{t.dir}/mail/example.test/alice"))
    until(arrived, 60, 0.02)


def can_read(t):
    """A login and a look at the mailbox, by POP3."""
    try:
        return t.counts("alice")
    except (OSError, poplib.error_proto):
        return None


def heads(folder):
    for name in os.listdir(f"{folder}/new"):
        with open(f"{folder}/new/{name}", errors="replace") as f:
            yield f.read(1000)


def test_kill_one():
    with Tree("auth_system_users = yes\n") as t:
        t.launch()
        until(lambda: all(r["state"] == "ready" for r in rows(t)))
        master = t.master_process.pid
        names = sorted({r["daemon"] for r in rows(t)})
        slowest, flow = {}, {}
        with Load(t.smtp, MIXED, connections=4, pause=0.01) as load, Knocker(t.smtp, t.pop3) as knocker:
            load.tries = 0
            time.sleep(0.5)
            n = 0
            for _ in range(TIMES):
                for name in names:
                    before = {r["service"]: r["restarts"] for r in rows(t) if r["daemon"] == name}
                    pids = [r["pid"] for r in rows(t) if r["daemon"] == name]
                    knocker.worst, begin = 0.0, time.monotonic()
                    tree.kill(pids, signal.SIGKILL)
                    mail_flows(t, load, n)
                    until(lambda: can_read(t), 60)
                    flow[name] = max(flow.get(name, 0), time.monotonic() - begin)
                    again = {service: restarts + 1 for service, restarts in before.items()}
                    try:
                        until(lambda: {r["service"]: r["restarts"] for r in rows(t) if r["daemon"] == name and r["state"] == "ready"} == again, 60)
                    except AssertionError as why:
                        raise AssertionError(f"{name}: {again}, {rows(t)}") from why
                    slowest[name] = max(slowest.get(name, 0), knocker.worst)
                    assert t.master_process.poll() is None and t.master_process.pid == master
                    n += 1
        until(t.drained, 60)
        t.stop()
        with open(f"{t.dir}/log/master.out") as f:
            deaths = re.findall(r"\S+ (?:was killed by signal|ended with status) \d+", t.log() + f.read())
        result = audit([load], t.dir)
        print(f"kills {n}, connections tried {knocker.knocks} refused {len(knocker.refused)}, {result}, unknown {len(load.unknown)}")
        for name in names:
            print(f"  {name}: slowest connect {slowest[name] * 1000:.0f} ms, mail taken, delivered and read after {flow[name]:.2f} s")
        assert deaths and all(d.endswith("killed by signal 9") for d in deaths), deaths
        result.check()
        assert not result.twice, result.twice
        assert not knocker.refused, knocker.refused[:5]
        assert max(slowest.values()) < 5, slowest
        assert max(flow.values()) < 30, flow


def test_kill_children():
    """The processes that deliver and read mail as its owners die at any moment."""
    with Tree("minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n") as t:
        t.launch()
        until(lambda: all(r["state"] == "ready" for r in rows(t)))
        parents = [r["pid"] for r in rows(t) if r["daemon"] in ("local", "pop3session")]
        killed, end = 0, time.monotonic() + 4
        with Load(t.smtp, MIXED, connections=4, pause=0.01) as load:
            while time.monotonic() < end:
                can_read(t)
                children = [pid for parent in parents for pid in tree.descendants(parent)[1:]]
                tree.kill(children, signal.SIGKILL)
                killed += len(children)
                time.sleep(0.03)
        until(t.drained, 60)
        shown = t.counts()
        assert [r["pid"] for r in rows(t) if r["daemon"] in ("local", "pop3session")] == parents
        t.stop()
        result = audit([load], t.dir)
        print(f"children killed {killed}, {result}, refused {len(load.refused)}")
        result.check()
        assert not load.refused and not load.unknown and not result.twice, (str(result), load.refused, load.unknown, result.twice)
        assert shown == [sum(p[user] for p in look(f"{t.dir}/queue", f"{t.dir}/mail").whole.values()) for user in ("alice", "bob")]


if __name__ == "__main__":
    tree.main()
