#!/usr/bin/env python3
"""The quick start: its options, its end, its own words pasted back; and the same without root."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import suite
from suite import BUILD, ROOT, TOP, Instance, Skip, free_base, run, until

SCRIPT = f"{TOP}/etc/quickstart"


class Demo:
    def __init__(self, user=None):
        self.base, self.user = free_base(), user
        self.dir = tempfile.mkdtemp(prefix="tayori-")
        os.chmod(self.dir, 0o755)
        if user:
            os.chown(self.dir, user, user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("--stop")
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, *args, dir=True):
        who = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []
        return who + [SCRIPT, "--no-install", *(("--dir", self.dir) if dir else ()), *args]

    def run(self, *args, **kw):
        return run(*self.command(*args, **kw), env=dict(os.environ, TAYORI_BUILD=BUILD, HOME=self.dir), timeout=90, cwd=self.dir)

    def start(self, *args):
        r = self.run("--ports", str(self.base), "--background", *args)
        assert r.returncode == 0, (r.stdout, r.stderr)
        return r

    def pid(self):
        with open(f"{self.dir}/run/master.pid") as f:
            return int(f.read())


def gone(pid):
    """Ended, or waiting to be buried."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def pasted(text):
    """The commands of the output, as a person copies them: send, and read over IMAP and POP3."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    assert len(lines) == 3, text
    return lines


def try_lines(text):
    send, *reads = pasted(text)
    r = run("bash", "-c", send)
    assert r.returncode == 0, r
    for read in reads:
        r = until(lambda: (lambda r: r if r.returncode == 0 else None)(run("bash", "-c", read)))
        assert "Tayori brings tidings." in r.stdout and "Subject: Hello" in r.stdout and "From: alice@example.test" in r.stdout, r.stdout


def test_background():
    with Demo() as d:
        r = d.start()
        first = r.stdout
        try_lines(first)
        pid = d.pid()
        for more in ("--background",), ():  # a second start while it runs
            r = d.run("--ports", str(d.base), *more)
            assert r.returncode and "runs already" in r.stderr and "--stop" in r.stderr, r
        assert d.pid() == pid and not gone(pid)
        assert d.run("--stop").stdout == "stopped\n"
        assert gone(pid)
        r = d.run("--stop")
        assert r.returncode == 0, r
        # it keeps its ports, whether they are said again or not
        r = d.run("--ports", str(d.base + 100), "--background")
        assert r.returncode and str(d.base) in r.stderr and "--ports" in r.stderr, r
        assert pasted(d.run("--background").stdout) == pasted(first)
        d.run("--stop")
        # the mail is there after a new start, and so are the users that were added
        run(f"{BUILD}/bin/tayori", "-c", f"{d.dir}/etc", "user", "add", "carol", "--password-stdin", input="x\n")
        r = d.start()
        assert "Tayori brings" in run("bash", "-c", pasted(r.stdout)[1]).stdout
        assert "carol" in open(f"{d.dir}/etc/users").read()


def test_foreground():
    for sig in signal.SIGTERM, signal.SIGINT:
        with Demo() as d:
            p = subprocess.Popen(d.command("--ports", str(d.base)), env=dict(os.environ, TAYORI_BUILD=BUILD), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            out = ""
            while "Stop:" not in out:
                line = p.stdout.readline()
                assert line, (out, p.stderr.read())
                out += line
            try_lines(out)
            pid = d.pid()
            children = [int(x) for x in run("pgrep", "-P", str(pid)).stdout.split()]
            assert len(children) > 5
            p.send_signal(sig)
            assert p.wait(30) == 0, p.stderr.read()
            assert gone(pid) and all(gone(c) for c in children)
            p.stdout.close()
            p.stderr.close()


def test_foreground_stopped_by_command():
    with Demo() as d:
        p = subprocess.Popen(d.command("--ports", str(d.base)), env=dict(os.environ, TAYORI_BUILD=BUILD), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        until(lambda: "Stop:" in p.stdout.readline())
        assert d.run("--stop").returncode == 0
        assert p.wait(30) == 0
        p.stdout.close()


def test_bad_options():
    with Demo() as d:
        for args, told in ((("--ports", "abc"), "not a number"), (("--ports", "80"), "between"), (("--ports", "65000"), "between"), (("--ports", ""), "number"), (("--frobnicate",), "usage"),
                           (("--ports",), "--ports"), (("--dir",), "--dir"), (("--ports", "1024; touch /tmp/x"), "not a number")):
            r = d.run(*args)
            assert r.returncode and told in r.stderr, (args, r)
        assert os.listdir(d.dir) == []
        r = run(SCRIPT, "--dir", f"{d.dir}/none", "--stop")
        assert r.returncode and "no demo" in r.stderr and os.listdir(d.dir) == [], r
        r = d.run("--help")
        assert r.returncode == 0 and "usage" in r.stdout
        r = run(SCRIPT, "--dir", "/proc/nonexistent", "--background", "--no-install", env=dict(os.environ, TAYORI_BUILD=BUILD))
        assert r.returncode and "/proc/nonexistent" in r.stderr, r
        r = run(SCRIPT, "--dir", d.dir, "--background", "--no-install", env=dict(os.environ, TAYORI_BUILD="/nonexistent"))
        assert r.returncode and "/nonexistent" in r.stderr, r


def test_ports_in_use():
    with Instance() as t, Demo() as d:
        d.base = t.base
        r = d.run("--ports", str(d.base), "--background")
        assert r.returncode and "in use" in r.stderr and "--ports" in r.stderr, r
        d.base = free_base()
        try_lines(d.start().stdout)


def test_odd_folder():
    """A blank in the folder's name, a path that is not absolute, and one that is long."""
    for name in "with blank", "x" * 100:
        with Demo() as d:
            outer = d.dir
            d.dir = f"{outer}/{name}"
            r = subprocess.run([SCRIPT, "--no-install", "--dir", name, "--ports", str(d.base), "--background"], cwd=outer, env=dict(os.environ, TAYORI_BUILD=BUILD),
                               capture_output=True, text=True, timeout=60)
            try:
                if r.returncode:
                    assert "blank" in r.stderr, r  # said at once and clearly
                else:
                    try_lines(r.stdout)
                    assert "empty" in run(f"{BUILD}/bin/mailq", "-c", f"{d.dir}/etc").stdout
            finally:
                d.run("--stop")
                d.dir = outer


def test_master_killed():
    """A demo whose master was killed can be started again: all children have ended with it."""
    with Demo() as d:
        d.start()
        pid = d.pid()
        children = [int(x) for x in run("pgrep", "-P", str(pid)).stdout.split()]
        os.kill(pid, signal.SIGKILL)
        until(lambda: all(gone(c) for c in children))
        try_lines(d.start().stdout)


def test_without_root():
    if not ROOT:
        raise Skip("is already without root")
    with Demo(user=65534) as d:
        r = d.start()
        assert "not started by root" in r.stdout + r.stderr and "missing walls" in r.stdout + r.stderr, r
        try_lines(r.stdout)
        who = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        status = run(*who, f"{BUILD}/bin/tayori", "-c", f"{d.dir}/etc", "status").stdout
        assert "ready" in status and "uid=" not in status and "seccomp" in status, status
        for command in ("mailq",), ("tayori", "reload"), ("tayori", "user", "list"), ("postqueue", "-f"):
            r = run(*who, f"{BUILD}/bin/{command[0]}", "-c", f"{d.dir}/etc", *command[1:])
            assert r.returncode == 0, (command, r)
        r = run(*who, f"{BUILD}/bin/sendmail", "-C", f"{d.dir}/etc", "-f", "alice@example.test", "bob@example.test", input="Subject: n\n\nby nobody\n")
        assert r.returncode == 0, r
        until(lambda: "empty" in run(*who, f"{BUILD}/bin/mailq", "-c", f"{d.dir}/etc").stdout)
        assert all(os.stat(os.path.join(root, f)).st_uid == 65534 for root, _, files in os.walk(d.dir) for f in files)
        pid = d.pid()
        assert d.run("--stop").returncode == 0 and gone(pid)


if __name__ == "__main__":
    suite.main()
