#!/usr/bin/env python3
"""What the commands do while the suite is stopped: sendmail waits a little and says "later"; the queue tools work on the queue itself."""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from suite import BUILD, ROOT, Instance, run, until

LATER = 75


def as_nobody(t, command, *args, input=None):
    return run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{BUILD}/bin/{command}", "-C" if command == "sendmail" else "-c",
               f"{t.dir}/etc", *args, input=input)


def queue_three(t):
    """Three letters that wait; their ids."""
    for i in range(3):
        t.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input=f"Subject: letter {i}\n\nbody {i}\n")
    until(lambda: "3 Requests" in t.ctl("mailq") and all(r["queue_name"] == "deferred" for r in rows(t)), 60)
    t.stop()
    return [r["queue_id"] for r in rows(t)]


def rows(t):
    return [json.loads(x) for x in t.ctl("postqueue", "-j").splitlines()]


def states(t):
    return {r["queue_id"]: r["queue_name"] for r in rows(t)}


def test_sendmail():
    with Instance(start=False) as t:
        begin = time.monotonic()
        r = t.ctl("sendmail", "bob@example.test", input="Subject: x\n\n", check=False)
        assert time.monotonic() - begin >= 4
        assert r.returncode == LATER and r.stderr == "sendmail: Tayori does not run: the message was not taken; try again later\n" and r.stdout == "", r
        assert t.ctl("sendmail", "-bs", input="QUIT\r\n", check=False).returncode == LATER
        if ROOT:
            r = as_nobody(t, "sendmail", "bob@example.test", input="Subject: x\n\n")
            assert r.returncode == LATER and "does not run" in r.stderr, r
        # a wrong call is wrong at once, whether the suite runs or not
        assert t.ctl("sendmail", input="", check=False).returncode == 64
        assert "Mail queue is empty" in t.ctl("sendmail", "-bp")
        # no configuration: nobody knows where to ask, which may be different later
        r = run(f"{BUILD}/bin/sendmail", "-C", f"{t.dir}/nothing", "bob@example.test", input="Subject: x\n\n")
        assert r.returncode == LATER and "no configuration in" in r.stderr, r


def test_sendmail_waits():
    """A letter that is handed over while the suite starts is taken, not refused."""
    with Instance(start=False) as t:
        for tries in range(5):  # a machine so slow that the start takes longer than the patience may say later
            p = subprocess.Popen([f"{BUILD}/bin/sendmail", "-C", f"{t.dir}/etc", "-f", "alice@example.test", "bob@example.test"],
                                 stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            p.stdin.write("Subject: early\n\n")
            p.stdin.close()
            t.quickstart()
            if p.wait(60) == 0:
                break
            assert p.returncode == LATER, p.stderr.read()
            p.stderr.close()
            t.stop()
        assert p.returncode == 0
        p.stderr.close()
        assert b"Subject: early" in t.fetch("bob", wait=1)[0]


def test_queue_tools():
    with Instance(main="defer_transports = virtual") as t:
        a, b, c = ids = queue_three(t)
        assert t.ctl("mailq") == t.ctl("postqueue", "-p") == t.ctl("sendmail", "-bp") == t.ctl("tayori", "queue", "list")
        assert set(states(t).values()) == {"deferred"}
        text = t.ctl("postcat", "-q", a)
        assert "alice@example.test" in text and re.search(r"(?m)^Subject: letter \d$", text)
        assert "Subject" not in t.ctl("postcat", "-qe", a) and "ENVELOPE" not in t.ctl("postcat", "-qb", a)
        t.ctl("postsuper", "-h", "ALL")
        assert states(t) == dict.fromkeys(ids, "hold") and t.ctl("mailq").count("!") == 3
        t.ctl("postqueue", "-f")  # what is held stays held
        assert states(t) == dict.fromkeys(ids, "hold")
        t.ctl("postsuper", "-H", b)
        t.ctl("postsuper", "-r", c)
        assert states(t) == {a: "hold", b: "deferred", c: "deferred"}
        t.ctl("postsuper", "-d", "-", input=b + "\n")
        assert states(t) == {a: "hold", c: "deferred"}
        assert sorted(os.listdir(f"{t.dir}/queue/cur")) == sorted([f"{a}:2,dh", f"{c}:2,d"])
        for args in ("-d", b), ("-h", "0" * 16), ("-d", "nonsense"), ("-e", a):
            r = t.ctl("postsuper", *args, check=False)
            assert r.returncode and "postsuper: " in r.stderr, (args, r)
        assert "running suite" in t.ctl("postsuper", "-e", a, check=False).stderr
        for bad in b, "../../etc/passwd", "":
            assert t.ctl("postcat", "-q", bad, check=False).returncode
        # it starts with what was said meanwhile
        t.ctl("postconf", "-e", "defer_transports=")
        t.quickstart()
        assert len(t.fetch("bob", wait=1)) == 1
        until(lambda: states(t) == {a: "hold"}, 60)
        t.ctl("postsuper", "-H", a)
        t.ctl("postqueue", "-f")
        assert len(t.fetch("bob", wait=1)) == 1


def test_others():
    """Without the suite nobody stands between the queue and a user: the folder's owner does."""
    if not ROOT:
        raise suite.Skip("needs root")
    with Instance(main="defer_transports = virtual") as t:
        a, _, _ = queue_three(t)
        for command, *args in ("mailq",), ("postqueue", "-j"), ("postcat", "-q", a), ("postsuper", "-d", "ALL"), ("tayori", "queue", "list"):
            r = as_nobody(t, command, *args)
            assert r.returncode and not r.stdout and "Tayori does not run" in r.stderr and "Permission denied" in r.stderr, (command, r)
        # root's changes leave nothing behind that the queue's owner could not use
        t.ctl("postsuper", "-h", "ALL")
        owner = os.stat(f"{t.dir}/queue").st_uid
        found = [os.path.join(d, n) for d, _, names in os.walk(f"{t.dir}/queue") for n in names]
        assert found and {os.stat(f).st_uid for f in found} == {owner}
        # and the owner may do it alone
        r = run("setpriv", f"--reuid={owner}", f"--regid={os.stat(f'{t.dir}/queue').st_gid}", "--clear-groups", f"{BUILD}/bin/postsuper", "-c", f"{t.dir}/etc", "-H", "ALL")
        assert r.returncode == 0 and "3 messages" in r.stderr, r


if __name__ == "__main__":
    suite.main()
