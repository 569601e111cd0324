#!/usr/bin/env python3
"""A taken-over daemon that sends without end, or answers with garbage: the others live, and serve the honest."""
import glob
import os
import poplib
import re
import smtplib
import threading
import time

import suite
from evil import EVIL, LETTER, Evil, need_evil, others, taken_over
from imapwire import Imap
from suite import until


def memory(pids):
    """Resident octets of each service's process."""
    out = {}
    for service, pid in pids.items():
        with open(f"/proc/{pid}/statm") as f:
            out[service] = int(f.read().split()[1]) * 4096
    return out


def flood(daemon, service, honest):
    """The evil one sends what goes for some seconds; `honest` is done again and again meanwhile, and takes no long time."""
    need_evil()
    with Evil([daemon], "flood", service=service, main="maillog_size_limit = 64M", env=dict(TAYORI_EVIL_MS="8000")) as t:
        name = t.env["TAYORI_EVIL_SERVICE"] or daemon
        until(lambda: os.path.exists(f"{t.dir}/starts.{daemon}") and t.log().count("is ready"), 60)
        rows = until(t.services)
        before, most, slow = memory(others(rows, [name])), {}, 0
        n = 0
        while "flooded:" not in t.told():
            begin = time.monotonic()
            honest(t, n)
            slow = max(slow, time.monotonic() - begin)
            n += 1
            for s, octets in memory(others(rows, [name])).items():
                most[s] = max(most.get(s, 0), octets)
        told = re.search(r"flooded: (\d+) frames, (\d+) descriptors", t.told())
        grown = {s: (most[s] - before[s]) >> 20 for s in most}
        print(f"  {daemon}: {told[1]} frames, {told[2]} descriptors; {n} honest turns, the slowest {slow:.1f} s; grown, MiB: {grown}")
        assert int(told[1]) > 100000 and n >= 3 and slow < 30, t.told()[-2000:]
        assert max(grown.values()) < 64, grown
        assert "panic" not in t.log()
        after = t.up()
        assert others(after, [name]) == others(rows, [name])
        return int(told[2])


def test_flood_mx():
    def honest(t, n):
        t.submit(f"turn {n}")
        assert any(b"turn %d\r\n" % n in m for m in t.fetch("bob", wait=1, seconds=60))
    flood("smtpd", "smtp", honest)


def test_flood_front():
    def honest(t, n):
        t.submit(f"turn {n}")
        until(lambda: len(glob.glob(f"{t.dir}/mail/example.test/bob/new/*")) > n, 60)
    assert flood("pop3d", "", honest) > 10000


def test_flood_imap():
    """The other front serves on."""
    def honest(t, n):
        t.submit(f"turn {n}")
        with t.other_imap() as c:
            c.select("INBOX")
            until(lambda: c.exists() > n, 60)
            c.ok("LOGOUT")
    assert flood("imapd", "imap", honest) > 10000


def test_flood_session():
    """Sessions that send to their parent as much as goes: others are opened, woken and told of new mail, in no long time."""
    need_evil()
    with Evil(["imapsession"], "child", program=f"{EVIL}-imapsession") as t:
        pids = t.up()
        with Imap(t.imaps, t.context()) as idling:
            idling.select("INBOX")
            idling.begin("IDLE")
            assert idling.response()[0] == "+"
            before, most, slow, n = memory(pids), {}, 0, 0
            evil = [taken_over(t, "flood") for _ in range(3)] + [taken_over(t, "flood-sleep") for _ in range(3)]
            end = time.monotonic() + 6
            while time.monotonic() < end:
                begin = time.monotonic()
                t.submit(f"turn {n}")
                n += 1
                until(lambda: idling.response()[1] == [str(n), "EXISTS"])
                with Imap(t.imaps, t.context()) as c:
                    c.ok("NOOP")
                slow = max(slow, time.monotonic() - begin)
                for s, octets in memory(pids).items():
                    most[s] = max(most.get(s, 0), octets)
            grown = {s: (most[s] - before[s]) >> 20 for s in most}
            sent = sum(int(c.response()[1][1]) for c in evil[:3])
            print(f"  sessions: {sent} frames, {n} honest turns, the slowest {slow:.1f} s; grown, MiB: {grown}")
            for c in evil:
                c.sock.close()
        assert sent > 10000 and n >= 3 and slow < 30 and max(grown.values()) < 64
        assert "panic" not in t.log() and t.up() == pids


def log_in_imap(t):
    with Imap(t.imaps, t.context(), timeout=5) as c, t.other_imap(timeout=5) as plain:
        for i in c, plain:
            i.select("INBOX")
            i.ok("LOGOUT")


def try_on(t, what, end):
    while time.monotonic() < end:
        try:
            what()
        except (OSError, AssertionError, EOFError, poplib.error_proto, smtplib.SMTPException):
            time.sleep(0.05)


def send_away(t):
    """Mail that the other host gets by smtp, which resolverd tells where."""
    with t.smtp_client(t.submission, tls=True) as c:
        c.login("alice", "tayori")
        c.sendmail("alice@example.test", ["x@far.test", "y@[127.0.0.1]"], LETTER % b"away")


def garbage(daemons, fatal=False):
    """
    Servers that answer with garbage: those who ask them tell their clients to try later, and live. `fatal`: they may end
    in order, for what they cannot live without.
    """
    need_evil()
    with Evil(daemons, "garbage") as t:
        pids = t.services() or until(t.services)
        end = time.monotonic() + 7
        for what in (lambda: t.submit("x"), lambda: t.fetch("bob"), lambda: t.send("a@remote.test", ["bob@example.test"], LETTER % b"y"), lambda: log_in_imap(t),
                     lambda: send_away(t)) * 3:
            threading.Thread(target=try_on, args=(t, what, end), daemon=True).start()
        time.sleep(7)
        assert "panic" not in t.log() + t.told(), re.findall(".*panic.*", t.log() + t.told())
        starts = {d: os.stat(f"{t.dir}/starts.{d}").st_size for d in daemons}
        dead = re.findall(r"(?m)^.*error: .*was killed by.*$" if fatal else r"(?m)^.*error: .*(?:was killed by|ended with).*$", t.log())
        assert not dead, dead
        print(f"  starts: {starts}")
        if not fatal:
            assert others(t.services(), daemons) == others(pids, daemons)


def test_garbage():
    for daemons in ["qmgr", "authd"], ["lookupd", "pop3session", "imapsession"], ["local"]:
        garbage(daemons)
    for daemon in "resolverd", "smtp":
        garbage([daemon])
    garbage(["keyd"], fatal=True)


if __name__ == "__main__":
    suite.main()
