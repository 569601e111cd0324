#!/usr/bin/env python3
"""What the host's own services see of Tayori: systemd hears how master fares, logrotate moves the log."""
import glob
import gzip
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from suite import BUILD, TOP, ROOT, Instance, need, run, until


def test_notify():
    """READY when all doors are open, STOPPING when it ends; nothing before, and nothing when it cannot start."""
    with Instance(start=False) as t:
        path = f"{t.dir}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(60)

            def begin(name):
                return subprocess.Popen([f"{BUILD}/libexec/master", "-c", f"{t.dir}/etc"], env=dict(os.environ, NOTIFY_SOCKET=name),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            master = begin(path)
            assert s.recv(100) == b"READY=1"
            with t.smtp_client() as c:  # the door is open: whoever comes now waits at most
                assert c.docmd("EHLO x")[0] == 250
            t.ctl("tayori", "stop")
            assert s.recv(100) == b"STOPPING=1"
            assert master.wait(60) == 0
            with open(f"{t.dir}/etc/main.cf", "a") as f:
                f.write("smtpd_timeout = soon\n")
            assert begin(path).wait(60) == 78
            s.setblocking(False)
            try:
                raise AssertionError(f"told: {s.recv(100)}")
            except BlockingIOError:
                pass
        # a manager that is gone, and names that are none, do no harm
        with open(f"{t.dir}/etc/main.cf", "a") as f:
            f.write("smtpd_timeout = 1m\n")
        for name in path, "", "relative", "/" + "x" * 300, "@tayori-test-nobody":
            master = begin(name)
            until(lambda: t.ctl("tayori", "stop", check=False).returncode == 0, 60)
            assert master.wait(60) == 0, name


def test_powers_of_the_unit():
    """With no more capabilities than the unit leaves, all daemons start, behind all their walls, and mail is delivered."""
    need("setpriv")
    if not ROOT:
        raise suite.Skip("needs root")
    with open(f"{TOP}/etc/tayori.service.in") as f:
        powers = re.findall(r"CAP_(\w+)", "".join(row for row in f if row.startswith("CapabilityBoundingSet=")))
    assert "SETUID" in powers and "SYS_ADMIN" not in powers and "NET_ADMIN" not in powers
    with Instance(start=False) as t:
        master = subprocess.Popen(["setpriv", "--bounding-set=-all," + ",".join("+" + p.lower() for p in powers), "--inh-caps=-all",
                                   f"{BUILD}/libexec/master", "-c", f"{t.dir}/etc"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: t.ctl("tayori", "status", check=False).returncode == 0, 60, 0.1)
        t.send("a@b.test", ["bob@example.test"], b"Subject: with few powers\r\n\r\n")
        assert b"few powers" in t.fetch("bob", wait=1)[0]
        assert "error:" not in t.log()
        t.ctl("tayori", "stop")
        assert master.wait(60) == 0


def lines_of(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", errors="replace") as f:
        return f.read().splitlines()


def test_logrotate():
    """The shipped file turns the log of a running instance, again and again: no line is lost or doubled."""
    need("logrotate")
    if not ROOT:
        raise suite.Skip("needs root")
    with Instance() as t:
        log = f"{t.dir}/log/tayori.log"
        with open(f"{TOP}/etc/logrotate") as f:
            text = f.read()
        assert "/var/log/tayori/tayori.log" in text
        conf = f"{t.dir}/logrotate"
        with open(conf, "w") as f:
            f.write(text.replace("/var/log/tayori/tayori.log", log))
        os.chmod(conf, 0o644)
        os.chmod(f"{t.dir}/log", 0o750)
        stop, sent = threading.Event(), []

        def once():
            with t.smtp_client() as c:
                c.ehlo(f"client{len(sent)}.test")
                c.mail(f"sender{len(sent)}@b.test")
                c.rcpt(f"nobody{len(sent)}@example.test")
                sent.append(len(sent))
            time.sleep(0.001)  # so that logd keeps up

        def load():
            while not stop.is_set():
                once()

        def arrived():
            once()
            time.sleep(0.02)
            return f"nobody{len(sent) - 1}@example.test" in t.log()
        writer = threading.Thread(target=load)
        writer.start()
        try:
            for turn in range(4):
                inode, before = os.stat(log).st_ino, len(sent)
                r = run("logrotate", "-f", "-s", f"{t.dir}/logrotate.state", conf)
                assert r.returncode == 0 and not r.stderr, r
                second = int(time.time())
                # begins anew by itself, and writing has gone on meanwhile
                until(lambda: os.path.exists(log) and os.stat(log).st_ino != inode and os.stat(log).st_size > 0, 60)
                # the next turn needs another second in its name
                until(lambda: len(sent) > before + 5 and int(time.time()) > second, 60)
        finally:
            stop.set()
            writer.join(60)
        until(arrived, 60)
        old = sorted(set(glob.glob(log + "*")) - {log})
        assert len(old) == 4 and [x.endswith(".gz") for x in old] == [True] * 3 + [False], old
        modes = {x: oct(os.stat(x).st_mode & 0o777) for x in old + [log]}
        assert set(modes.values()) == {"0o640"}, modes
        found = [n for path in old + [log] for line in lines_of(path) for n in re.findall(r"reject: RCPT .* to=<nobody(\d+)@", line)]
        # a daemon waits for nobody: what logd could not take in time is counted, and nothing else is missing
        lost = sum(int(n) for path in old + [log] for line in lines_of(path) for n in re.findall(r"warning: (\d+) lines were lost", line))
        missing = set(sent) - set(map(int, found))
        assert len(found) == len(set(found)) and len(missing) <= lost, (len(missing), lost)


if __name__ == "__main__":
    suite.main()
