#!/usr/bin/env python3
"""kill -9 of all processes at once under load, again and again: nothing acknowledged is lost or torn.

TAYORI_ROUNDS sets the number of rounds (20).
"""
import os
import random
import time

import tree
from ledger import Load, audit, look
from tree import MIXED, Tree, until

ROUNDS = int(os.environ.get("TAYORI_ROUNDS", "20"))


def test_kill_tree():
    rng = random.Random(1)
    loads, starts, killed = [], [], 0
    with Tree() as t:
        for n in range(ROUNDS):
            starts.append(t.launch())
            load = Load(t.smtp, MIXED, run=n)
            loads.append(load)
            with load:
                time.sleep(rng.uniform(0.1, 1.0))
                killed += t.kill_all()
                load.stopped.set()
        starts.append(t.launch())
        until(t.drained, 60)
        shown = t.counts("alice", "bob")
        t.stop()
        result = audit(loads, t.dir)
        boxes = [sum(c[user] for c in look(f"{t.dir}/queue", f"{t.dir}/mail").whole.values()) for user in ("alice", "bob")]
        unknown = sum(len(load.unknown) for load in loads)
        print(f"rounds {ROUNDS} killed {killed} processes, {result}, unknown {unknown}, "
              f"start p50 {sorted(starts)[len(starts) // 2]:.2f} s max {max(starts):.2f} s")
        result.check()
        assert shown == boxes, (shown, boxes)


if __name__ == "__main__":
    tree.main()
