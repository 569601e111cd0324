#!/usr/bin/env python3
"""A taken-over daemon: t/evil stands in the place of each, behind its fence and on its channels, and nothing succeeds."""
import glob
import json
import os
import poplib
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time

import suite
from suite import BUILD, Instance, Skip, until

EVIL = f"{BUILD}/t/evil/evil"
LINE = re.compile(r"^evil (\S+) (\w+): (refused|SUCCEEDED|DIED) ?(.*)$", re.M)
LETTER = b"From: a@remote.test\r\nTo: bob@example.test\r\nSubject: %s\r\n\r\nhonest\r\n"
# What a kernel may lack: the rehearsal without a fence does not get it either.
LACKED = {"x32_calls", "i386_calls", "kexec_load", "init_module", "delete_module", "iopl", "ioperm", "userfaultfd", "io_uring",
          "io_uring_enter", "perf_event_open", "bpf"}


def need_evil():
    if not suite.ROOT:
        raise Skip("only root can build the walls")
    r = suite.run("cmake", "--build", BUILD, "--target", "evil", "evil-local", timeout=300)
    assert r.returncode == 0, r.stdout + r.stderr


class Evil(Instance):
    """An instance in which some daemons' programs are replaced; master is started without the quick start."""
    def __init__(self, daemons, mode, main="", service="", program=EVIL, env=None):
        self.daemons, self.mode, self.service, self.program, self.more = daemons, mode, service, program, env or {}
        super().__init__(main="service_throttle_time = 1s\nlocal_child_idle_time = 1s\n" + main, start=False)

    def __enter__(self):
        super().__enter__()
        self.lib = f"{self.dir}/libexec"
        shutil.copytree(f"{BUILD}/libexec", self.lib)
        for d in self.daemons:
            shutil.copy(self.program, f"{self.lib}/{d}")
        with open(f"{self.dir}/etc/main.cf") as f:
            text = re.sub(r"(?m)^daemon_directory.*", f"daemon_directory = {self.lib}", f.read())
        with open(f"{self.dir}/etc/main.cf", "w") as f:
            f.write(text)
        self.lay_out()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.abstract.bind(f"\0tayori-evil-{os.getpid()}")
        self.env = dict(os.environ, TAYORI_EVIL=self.mode, TAYORI_EVIL_DIR=self.dir, TAYORI_EVIL_REAL=f"{BUILD}/libexec",
                        TAYORI_EVIL_PORT=str(self.listener.getsockname()[1]), TAYORI_EVIL_ABSTRACT=f"tayori-evil-{os.getpid()}",
                        TAYORI_EVIL_MAIL_UID=str(os.stat(f"{self.dir}/mail").st_uid),
                        TAYORI_EVIL_SERVICE=self.service and f"127.0.0.1:{self.base + suite.OFFSETS[self.service]}", **self.more)
        self.err = open(f"{self.dir}/evil.err", "w+")
        self.master = subprocess.Popen([f"{self.lib}/master", "-c", f"{self.dir}/etc"], env=self.env, stderr=self.err,
                                       stdin=subprocess.DEVNULL, stdout=self.err)
        return self

    def __exit__(self, *how):
        self.master.terminate()
        self.master.wait(30)
        self.listener.close()
        self.abstract.close()
        return super().__exit__(*how)

    def lay_out(self):
        """Things to steal, each readable for its owner, and a folder in which everybody may write."""
        mail = os.stat(f"{self.dir}/mail")
        for path in "mail/example.test", "mail/example.test/alice", "mail/example.test/bob":
            os.makedirs(f"{self.dir}/{path}", 0o700, exist_ok=True)
            os.chown(f"{self.dir}/{path}", mail.st_uid, mail.st_gid)
        for path in "mail/example.test/bob/secret", "queue/secret", "log/secret":
            with open(f"{self.dir}/{path}", "w") as f:
                f.write("secret\n")
            owner = os.stat(os.path.dirname(f"{self.dir}/{path}"))
            os.chown(f"{self.dir}/{path}", owner.st_uid, owner.st_gid)
            os.chmod(f"{self.dir}/{path}", 0o600)
        os.mkdir(f"{self.dir}/world")
        os.chmod(f"{self.dir}/world", 0o1777)

    def up(self):
        """Waits until all are ready: service -> pid."""
        def ready():
            rows = self.rows()
            return self.services() if len(rows) > 5 and all(r["state"] == "ready" for r in rows) else None
        return until(ready)

    def rows(self):
        return json.loads(self.ctl("tayori", "status", "--json", check=False).stdout or "[]")

    def services(self):
        """Service, the first one of its process -> pid."""
        return {r["service"].split(",")[0]: r["pid"] for r in self.rows()}

    def submit(self, subject, user="bob"):
        """An honest letter by submission."""
        with self.smtp_client(self.submission, tls=True) as c:
            c.login("alice", "tayori")
            c.sendmail("alice@example.test", [f"{user}@example.test"], LETTER % subject.encode())

    def told(self):
        with open(f"{self.dir}/evil.err", errors="replace") as f:
            return f.read()


def kernel_acts(landlock):
    need_evil()
    daemons = ["smtpd", "pop3d", "qmgr", "keyd", "lookupd", "authd", "logd", "accountd", "local", "pop3session"]
    main = f"auth_system_users = yes\nlandlock_enable = {landlock}\n"
    with Evil(daemons, "kernel", main) as t:
        # smtpd runs for mx, for submission and for sendmail
        until(lambda: len(set(re.findall(r"(?m)^evil (\S+): done", t.told()))) == len(daemons) + 2, 60)
        told = t.told()
    return told


def show(told):
    tried, bad = {}, []
    for who, act, how, more in LINE.findall(told):
        tried.setdefault(who, {})[act] = how
        if how != "refused":
            bad.append(f"{who} {act}: {how} {more}")
    for who, acts in sorted(tried.items()):
        print(f"  {who}: {len(acts)} acts, {sum(h == 'refused' for h in acts.values())} refused")
    assert not bad, "\n".join(bad)
    return tried


def test_rehearsal():
    """Without a fence the acts do succeed: it is the fence that refuses them."""
    need_evil()
    with Evil([], "") as t, open(f"{t.dir}/free.err", "w+") as err:
        subprocess.run(["sh", "-c", f"ulimit -n 20000; exec {EVIL}"], env=t.env, stderr=err, timeout=60)
        err.seek(0)
        told = err.read()
    refused = {act: more for _, act, how, more in LINE.findall(told) if how != "SUCCEEDED"}
    assert len(LINE.findall(told)) > 100, told
    assert set(refused) <= LACKED, refused


def test_kernel_landlock_on():
    show(kernel_acts("yes"))


def test_kernel_landlock_off():
    show(kernel_acts("no"))


def others(pids, services):
    return {s: p for s, p in pids.items() if s not in services}


def check_unharmed(t, before, evil):
    """Nobody but the evil one has died."""
    log = t.log()
    dead = [line for line in re.findall(r"(?m)^.*error: .*(?:was killed by|ended with).*$", log) if not any(f" {e}[" in line for e in evil)]
    assert not dead, dead
    after = t.up()
    assert others(after, evil) == others(before, evil)


def channel_acts(daemon, service=""):
    """All acts of one daemon on its channels; then honest mail still flows through the others."""
    need_evil()
    with Evil([daemon], "channel", service=service) as t:
        name = t.env["TAYORI_EVIL_SERVICE"] or daemon
        until(lambda: t.told().count(": done") >= 14 or "panic" in t.told(), 40)
        pids = t.up()
        tried = {}
        for _, act, how, more in LINE.findall(t.told()):
            tried.setdefault(act, []).append((how, more))
        bad = {act: r for act, r in tried.items() if any(how != "refused" for how, _ in r)}
        print(f"  {daemon}: {len(tried)} kinds of acts, {sum(map(len, tried.values()))} tries")
        assert not bad, bad
        assert "panic" not in t.log() + t.told(), t.log()[-3000:]
        check_unharmed(t, pids, [name])
        if daemon != "qmgr":
            t.submit("after")
        if daemon == "smtpd":
            messages = t.fetch("bob", wait=2)
            # what was honest in between, and nothing of what was not
            assert len(messages) == 2 and not any(b"\nx\n" in m for m in messages), messages
        assert not os.path.exists(f"{t.dir}/mail/example.test/victim")
        assert not re.search(r"to=<victim@", t.log())


def test_channels_mx():
    channel_acts("smtpd", "smtp")


def test_channels_front():
    channel_acts("pop3d")


def test_channels_qmgr():
    channel_acts("qmgr")


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
        until(lambda: os.path.exists(f"{t.dir}/starts.{daemon}") and t.log().count("is ready"), 20)
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
        assert int(told[1]) > 100000 and n >= 3 and slow < 5, t.told()[-2000:]
        assert max(grown.values()) < 64, grown
        assert "panic" not in t.log()
        after = t.up()
        assert others(after, [name]) == others(rows, [name])
        return int(told[2])


def test_flood_mx():
    def honest(t, n):
        t.submit(f"turn {n}")
        assert any(b"turn %d\r\n" % n in m for m in t.fetch("bob", wait=1, seconds=10))
    flood("smtpd", "smtp", honest)


def test_flood_front():
    def honest(t, n):
        t.submit(f"turn {n}")
        until(lambda: len(glob.glob(f"{t.dir}/mail/example.test/bob/new/*")) > n, 10)
    assert flood("pop3d", "", honest) > 10000


def test_grants():
    """A taken-over authd: only mail folders that belong to their uid are opened, and never root's."""
    need_evil()
    with Evil(["authd"], "grant") as t:
        t.up()
        os.makedirs(f"{t.dir}/mail/roots", 0o755)
        os.symlink("/etc", f"{t.dir}/mail/link")
        os.symlink("../..", f"{t.dir}/mail/example.test/up")
        os.makedirs(f"{t.dir}/mail-evil/bob")
        tried = ["root", "daemon", "group", "etc", "folder", "outside", "..", "../etc", "roots", "link", "example.test/up",
                 "example.test/up/etc", "./example.test/bob", "example.test/../../etc", "link/cron.d"]
        for user in tried:
            c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=20)
            c.user(user)
            try:
                told = c.pass_("x")
            except poplib.error_proto as e:
                told = e.args[0]
            except (ConnectionError, EOFError):
                told = b"closed"
            assert not str(told).lstrip("b'").startswith("+OK"), (user, told)
            c.close()
        assert sorted(set(re.findall(r"grant: (\S+) kept", t.told()))) == sorted(tried), t.told()
        # and one in order is opened
        c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=20)
        c.user("example.test/bob")
        assert c.pass_("x").startswith(b"+OK")
        c.quit()
        assert os.listdir(f"{t.dir}/mail/roots") == []


def try_on(t, what, end):
    while time.monotonic() < end:
        try:
            what()
        except (OSError, AssertionError, EOFError, poplib.error_proto, smtplib.SMTPException):
            time.sleep(0.05)


def garbage(daemons, fatal=False):
    """
    Servers that answer with garbage: those who ask them tell their clients to try later, and live. `fatal`: they may end
    in order, for what they cannot live without.
    """
    need_evil()
    with Evil(daemons, "garbage") as t:
        pids = t.services() or until(t.services)
        end = time.monotonic() + 7
        for what in (lambda: t.submit("x"), lambda: t.fetch("bob"), lambda: t.send("a@remote.test", ["bob@example.test"], LETTER % b"y")) * 3:
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
    for daemons in ["qmgr", "authd"], ["lookupd", "pop3session"], ["local", "logd"]:
        garbage(daemons)
    garbage(["keyd"], fatal=True)


def children_of(pid):
    return [int(p) for p in suite.run("pgrep", "-P", str(pid)).stdout.split()]


def test_child():
    """A taken-over delivery process: its parent lives, others get their mail, and it ends whether it wants or not."""
    need_evil()
    ways = ["oversize", "short", "flags", "cut", "longer", "strings", "no_type", "too_many_fds", "one_fd", "other", "odd", "lines",
            "many", "question", "stay"]
    with Evil(["local"], "child", program=f"{EVIL}-local") as t:
        pid = t.up()["local"]
        for i, way in enumerate(ways):
            t.send(f"{way}@remote.test", ["alice@example.test"], LETTER % way.encode())
            until(lambda: len(re.findall(r"to=<alice@example.test>.*status=", t.log())) == i + 1)
            t.submit("honest")
            if way in ("many", "question", "stay"):
                # it has answered and waits for nothing: the parent ends it
                until(lambda: not children_of(pid), 10)
        until(lambda: len(re.findall(r"to=<bob@example.test>.*status=sent", t.log())) == len(ways))
        assert not re.search(r"(?m)^\w+ \d+ [\d:]+ forged", t.log())
        assert t.up()["local"] == pid and "panic" not in t.log()


# What the processes have of root's powers: numbers of linux/capability.h.
CHOWN, OVERRIDE, SEARCH, KILL, SETGID, SETUID, SETPCAP, LOW_PORTS, CHROOT, RESOURCE, AUDIT = 0, 1, 2, 5, 6, 7, 8, 10, 18, 24, 29
MASTER = sum(1 << c for c in (CHOWN, SEARCH, KILL, SETGID, SETUID, SETPCAP, LOW_PORTS, CHROOT, RESOURCE))
STARTED = MASTER | 1 << OVERRIDE | 1 << AUDIT
SPAWNER = sum(1 << c for c in (CHOWN, OVERRIDE, KILL, SETGID, SETUID, SETPCAP, CHROOT))
ROOTS = dict(local=SPAWNER, pop3session=SPAWNER, accountd=STARTED)


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_processes():
    """Who runs as root, and what each process has left of it."""
    need_evil()
    with Evil([], "", main="auth_system_users = yes\nlocal_child_idle_time = 30s") as t:
        t.up()
        pids = t.pids()
        t.submit("x")
        c = t.pop3_client("bob")
        mail = os.stat(f"{t.dir}/mail").st_uid
        # a container may have taken some of them from everybody
        here = int(status_of("self")["CapBnd"], 16)
        master = status_of(t.master.pid)
        assert int(master["CapEff"], 16) == int(master["CapPrm"], 16) == MASTER & here, master
        assert int(master["CapBnd"], 16) == STARTED & here, master
        seen = 0
        for daemon, numbers in pids.items():
            for pid in numbers:
                st, powers = status_of(pid), ROOTS.get(daemon, 0) & here
                where = (daemon, st)
                assert (st["Uid"].split("\t") == ["0"] * 4) == (daemon in ROOTS), where
                assert len(set(st["Uid"].split("\t"))) == len(set(st["Gid"].split("\t"))) == 1, where
                assert st["Groups"].strip() == "" or daemon in ROOTS, where
                assert int(st["CapEff"], 16) == int(st["CapPrm"], 16) == powers, where
                assert int(st["CapBnd"], 16) == (STARTED & here if daemon == "accountd" else 0) and int(st["CapInh"], 16) == int(st["CapAmb"], 16) == 0, where
                assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2", where
                # not dumpable: the kernel gives its files in /proc to root
                assert os.stat(f"/proc/{pid}/mem").st_uid == 0, where
                assert resource_limit(pid, "Max core file size") == "0", where
                seen += 1
        assert seen >= 12, pids
        children = children_of(pids["local"][0]) + children_of(pids["pop3session"][0])
        assert len(children) == 2, children
        for pid in children:
            st = status_of(pid)
            assert st["Uid"].split("\t") == [str(mail)] * 4 and st["Groups"].strip() == "", st
            assert all(int(st[c], 16) == 0 for c in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")), st
            assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2" and os.stat(f"/proc/{pid}/mem").st_uid == 0, st
            assert os.readlink(f"/proc/{pid}/root").startswith(f"{t.dir}/mail/example.test/"), pid
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert not any("memfd" in h or "listener" in h for h in held) and len(held) <= 10, held
        # and nobody else of this tree
        everybody = suite.run("ps", "-eo", "pid=,ppid=,uid=,args=").stdout.split("\n")
        roots = [line for line in everybody if f"{t.lib}/" in line and line.split()[2] == "0"]
        assert len(roots) <= 1, roots
        c.quit()


def resource_limit(pid, name):
    with open(f"/proc/{pid}/limits") as f:
        return next(line[len(name):].split()[0] for line in f if line.startswith(name))


def memory_of(pid):
    """Every readable page of a process."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            begin, end = (int(x, 16) for x in span.split("-"))
            if "r" not in mode or "[v" in line:
                continue
            try:
                mem.seek(begin)
                yield mem.read(end - begin)
            except OSError:
                pass


def test_key_memory():
    """The private key of TLS is in keyd's memory and in no other's, under load."""
    need_evil()
    with Evil([], "") as t:
        t.up()
        for i in range(20):
            t.submit(f"{i}")
        assert len(t.fetch("bob", wait=20)) == 20
        held = [t.pop3_client("bob"), t.smtp_client(t.submission, tls=True), t.smtp_client(tls=True)]
        pem = open(f"{t.dir}/tls/key.pem", "rb").read()
        der = subprocess.run(["openssl", "pkey", "-outform", "DER", "-traditional"], input=pem, capture_output=True, check=True).stdout
        scalar = der[der.index(b"\x02\x01\x01\x04\x20") + 5:][:32]
        # as a number in memory, as octets, as text
        marks = [scalar, scalar[::-1], pem.split(b"\n")[1][:48]]
        pids = dict(t.pids(), master=[t.master.pid])
        for d in "local", "pop3session":
            pids[d] = pids[d] + children_of(pids[d][0])
        found, octets = set(), 0
        for daemon, numbers in pids.items():
            for pid in numbers:
                for part in memory_of(pid):
                    octets += len(part)
                    if any(m in part for m in marks):
                        found.add(daemon)
        print(f"  {sum(map(len, pids.values()))} processes, {octets >> 20} MiB; the key is in: {sorted(found)}")
        assert found == {"keyd"}
        for c in held:
            c.close()


def test_no_setuid():
    """Nothing that is installed runs with rights of another than its caller."""
    with tempfile.TemporaryDirectory() as prefix:
        r = suite.run("cmake", "--install", BUILD, "--prefix", prefix)
        assert r.returncode == 0, r.stderr
        files = suite.run("find", prefix, "-type", "f").stdout.split()
        assert len(files) > 15 and any(f.endswith("/master") for f in files), files
        assert not any("evil" in f for f in files), files
        assert suite.run("find", prefix, "-perm", "/6000").stdout == ""
        assert suite.run("find", prefix, "-perm", "/022", "!", "-type", "l").stdout == ""
        caps = [f for f in files if "security.capability" in os.listxattr(f)]
        assert not caps, caps


if __name__ == "__main__":
    suite.main()
