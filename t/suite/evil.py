#!/usr/bin/env python3
"""A taken-over daemon: t/evil stands in the place of each, behind its fence and on its channels, and nothing succeeds."""
import contextlib
import ctypes
import glob
import json
import os
import poplib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import accounts
import suite
from imapwire import Imap
from suite import BUILD, Instance, Skip, until

EVIL = f"{BUILD}/t/evil/evil"
LINE = re.compile(r"^evil (\S+) (\w+): (refused|SUCCEEDED|DIED) ?(.*)$", re.M)
OTHER = "127.0.0.2"
SPAWNERS = ["local", "pop3session", "imapsession"]
CONNECTING = ["smtp", "resolverd"]  # with other hosts
LETTER = b"From: a@remote.test\r\nTo: bob@example.test\r\nSubject: %s\r\n\r\nhonest\r\n"
# What a kernel may lack: the rehearsal without a fence does not get it either.
LACKED = {"x32_calls", "i386_calls", "kexec_load", "init_module", "delete_module", "iopl", "ioperm", "userfaultfd", "io_uring",
          "io_uring_enter", "perf_event_open", "bpf"}


def need_evil():
    if not suite.ROOT:
        raise Skip("only root can build the walls")
    r = suite.run("cmake", "--build", BUILD, "--target", "evil", "evil-local", "evil-imapsession", timeout=300)
    assert r.returncode == 0, r.stdout + r.stderr


class Evil(Instance):
    """An instance in which some daemons' programs are replaced; master is started without the quick start."""
    def __init__(self, daemons, mode, main="", service="", program=EVIL, env=None):
        self.daemons, self.mode, self.service, self.program, self.more = daemons, mode, service, program, env or {}
        super().__init__(main="service_throttle_time = 1s\nlocal_child_idle_time = 1s\nimap_sleep_after = 1s\n" + main, start=False)

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
        self.err = open(f"{self.dir}/evil.err", "a+")
        self.master = subprocess.Popen([f"{self.lib}/master", "-c", f"{self.dir}/etc"], env=self.env, stderr=self.err,
                                       stdin=subprocess.DEVNULL, stdout=self.err)
        return self

    def __exit__(self, *how):
        # servers that answer garbage would keep an orderly end waiting
        self.master.send_signal(signal.SIGKILL if self.mode == "garbage" else signal.SIGTERM)
        self.master.wait(30)
        until(lambda: f"{self.lib}/" not in suite.run("ps", "-eo", "args=").stdout)
        self.listener.close()
        self.abstract.close()
        return super().__exit__(*how)

    def make(self):
        super().make()
        # a second front of IMAP in a process of its own, which stays honest when the first is taken over
        self.added["master"] = (f"{OTHER}:{self.imap} inet n - y - 1 imapd\n  -o front_tls_auth_only=no\n"
                                "  -o service_user=tayori-smtpd\n")

    def other_imap(self, **how):
        """A client of the second front, without TLS."""
        return Imap(self.imap, host=OTHER, **how)

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
    daemons = ["smtpd", "pop3d", "imapd", "qmgr", "keyd", "lookupd", "authd", "logd", "accountd", "commandd", "dialer", *CONNECTING, *SPAWNERS]
    main = f"auth_system_users = yes\nunix_sockets = /nonexistent/socket\nlandlock_enable = {landlock}\n"
    with Evil(daemons, "kernel", main) as t:
        # smtpd runs for mx, for submission and for sendmail, imapd twice
        until(lambda: len(set(re.findall(r"(?m)^evil (\S+): done", t.told()))) == len(daemons) + 3, 60)
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
    # none was left out but what is a daemon's own business, or a spawner's
    most = len(tried["local/local-child"])
    assert all(tried[f"{d}/{d}-child"].keys() == tried["local/local-child"].keys() for d in SPAWNERS)
    assert all(len(acts) >= (30 if who.split("/")[1] in ("accountd", "commandd") else 100 if who.split("/")[1] in SPAWNERS + CONNECTING else most - 1)
               for who, acts in tried.items()), {who: len(acts) for who, acts in tried.items()}
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


@contextlib.contextmanager
def nothing(_):
    yield


def channel_acts(daemon, service="", honest=nothing, main=""):
    """All acts of one daemon on its channels; then honest mail still flows through the others. `honest`: what goes on meanwhile."""
    need_evil()
    with Evil([daemon], "channel", main, service=service) as t, honest(t):
        name = t.env["TAYORI_EVIL_SERVICE"] or daemon
        until(lambda: t.told().count(": done") >= 15 or "panic" in t.told(), 40)
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


def test_channels_smtp():
    channel_acts("smtp", main="unix_sockets = /nonexistent/socket")


def idle(c):
    tag, _ = c.begin("IDLE")
    assert c.response()[0] == "+"
    return tag


def states(t, user):
    return sorted(r["state"] for r in json.loads(t.ctl("tayori", "who", "--json")) if r["user"] == f"{user}@example.test")


@contextlib.contextmanager
def other_front(t):
    """Clients of the front that is honest: one sleeps, one idles asleep, one is at work. They go on, and hear nothing that is not so."""
    until(lambda: "127.0.0.1" in t.log() and len(t.rows()) > 5)
    clients = [until(lambda: attempt(lambda: t.other_imap(user="bob@example.test"))) for _ in range(3)]
    for c in clients:
        c.select("INBOX")
    tag = idle(clients[1])
    yield
    for c in clients:
        c.sock.settimeout(60)
    clients[1].sock.sendall(b"DONE\r\n")
    assert clients[1].wait(tag).status == "OK"
    for c in clients:
        c.ok("NOOP")
        c.ok("LOGOUT")
        c.sock.close()


def attempt(what):
    try:
        return what()
    except (OSError, AssertionError):
        return None


def test_channels_imap():
    channel_acts("imapd", "imap", other_front)


def test_channels_qmgr():
    channel_acts("qmgr")


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
            c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=60)
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
        c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=60)
        c.user("example.test/bob")
        assert c.pass_("x").startswith(b"+OK")
        c.quit()
        assert os.listdir(f"{t.dir}/mail/roots") == []


def children_of(pid):
    return [int(p) for p in suite.run("pgrep", "-P", str(pid)).stdout.split()]


def test_child():
    """A taken-over delivery process: its parent lives, others get their mail, and it ends whether it wants or not."""
    need_evil()
    ways = ["oversize", "short", "flags", "cut", "longer", "strings", "no_type", "too_many_fds", "one_fd", "other", "odd", "lines",
            "many", "question", "stay"]
    with Evil(["local"], "child", program=f"{EVIL}-local") as t:
        pid = t.up()["local"]
        for way in ways:
            t.send(f"{way}@remote.test", ["alice@example.test"], LETTER % way.encode())
            queued = t.wait_log(rf"(\w+): from=<{way}@remote.test>")[1]
            t.wait_log(rf"{queued}: to=<alice@example.test>.*status=")
            t.submit("honest")
            if way in ("many", "question", "stay"):
                # it has answered and waits for nothing: the parent ends it
                until(lambda: not children_of(pid), 60)
        until(lambda: len(re.findall(r"to=<bob@example.test>.*status=sent", t.log())) == len(ways))
        # one that died with a delivery in hand may have done it: the next one is told to look
        t.send("vanish@remote.test", ["bob@example.test"], LETTER % b"vanish")
        queued = t.wait_log(r"(\w+): from=<vanish@remote.test>")[1]
        t.wait_log(rf"{queued}: to=<bob@example.test>.*status=deferred")
        t.ctl("postqueue", "-f")
        t.wait_log(rf"{queued}: to=<bob@example.test>.*status=sent")
        assert not re.search(r"(?m)^\w+ \d+ [\d:]+ forged", t.log())
        assert t.up()["local"] == pid and "panic" not in t.log()


SPOILS = ["oversize", "short", "flags", "cut", "longer", "strings", "no_type", "too_many_fds", "one_fd"]
FOREIGN = ["session_open", "session_wake", "session_gone", "session_stir", "session_over", "session_state", "grant", "login", "who", "kick",
           "settings", "walls", "deliver", "mailbox_task", "control", "log_line"]
# What a taken-over session does, and what its client hears of it; None: its process is ended, which closes the connection.
SAID = {"watch-files": ["refused"] * 4, "watch-many": ["granted"], "sleep-large": ["refused"], "answers": ["granted"], "drop": ["alone"], "sleep-twice": None,
        "sleep-lie": None}


def taken_over(t, way):
    """A client of alice, whose session does this."""
    c = Imap(t.imaps, t.context(), login=False, timeout=60)
    c.sock.sendall(f"evil-{way} LOGIN alice tayori\r\n".encode())
    assert c.response() == (f"evil-{way}", ["OK", "taken over"])
    return c


def closes(c):
    try:
        return c.sock.recv(1000) == b""
    except ConnectionError:
        return True


def test_session():
    """A taken-over session of IMAP: its parent, the front and other users' sessions go on, and it ends when it must."""
    need_evil()
    with Evil(["imapsession"], "child", program=f"{EVIL}-imapsession") as t:
        pids = t.up()
        parent = pids["imapsession"]
        with Imap(t.imaps, t.context()) as asleep, t.other_imap() as plain, Imap(t.imaps, t.context()) as idling:
            asleep.select("INBOX")
            plain.select("INBOX")
            idling.select("INBOX")
            tag = idle(idling)
            for way in SPOILS + FOREIGN + list(SAID):
                with taken_over(t, way) as c:
                    for word in SAID.get(way) or []:
                        got = c.response()
                        assert got == ("*", [word]), (way, got)
                    assert SAID.get(way) or closes(c), way
            # it agreed to end and does not: the client has another process then, and this one is ended
            with taken_over(t, "sleep-stay") as c:
                until(lambda: states(t, "alice") == ["asleep"])
                c.ok("NOOP")
                c.select("INBOX")
                until(lambda: len(children_of(parent)) == 1 or states(t, "alice") == ["asleep"], 60)
            with taken_over(t, "sleep-noise") as c:
                until(lambda: states(t, "alice") == ["asleep"])
                c.sock.sendall(b"x NOOP\r\n")
                assert c.response()[1][0] == "BYE" and closes(c)
            until(lambda: states(t, "alice") == [] and states(t, "bob") == ["asleep", "asleep", "idle"], 60)
            # nobody is left whom the parent has forgotten
            until(lambda: not children_of(parent), 60)
            t.submit("news")
            until(lambda: idling.response()[1] == ["1", "EXISTS"])
            idling.sock.sendall(b"DONE\r\n")
            assert idling.wait(tag).status == "OK"
            for c in asleep, plain:
                assert ["1", "EXISTS"] in c.ok("NOOP").untagged
        assert "panic" not in t.log()
        assert t.up() == pids
        killed = re.findall(r"session of (\S+) was killed by signal (\d+)", t.log())
        assert set(killed) == {("alice@example.test", "9")}, killed


def exchange(a, b):
    """Two names change places at one instant."""
    assert ctypes.CDLL(None, use_errno=True).renameat2(-100, a.encode(), -100, b.encode(), 2) == 0, os.strerror(ctypes.get_errno())


def test_home_race():
    """A mail folder that becomes a link and again a folder while mail is delivered: nothing is written elsewhere."""
    need_evil()
    with accounts.Accounts() as a, Instance(main=accounts.MAIN + "local_child_idle_time = 1s\nminimal_backoff_time = 1s\n") as t:
        me = pwd.getpwnam(accounts.NAMES[0])
        box, trap, elsewhere = f"{me.pw_dir}/Maildir", f"{me.pw_dir}/trap", f"{a.homes}/elsewhere"
        for path in elsewhere, *(f"{elsewhere}/{sub}" for sub in ("new", "cur", "tmp")):
            os.mkdir(path)
            os.chmod(path, 0o777)
        os.mkdir(box)
        os.chown(box, me.pw_uid, me.pw_gid)
        os.symlink(elsewhere, trap)
        over, spawner = threading.Event(), t.pids()["local"][0]

        def swap():
            while not over.is_set():
                exchange(box, trap)
        racer = threading.Thread(target=swap)
        racer.start()
        for i in range(40):
            t.send("a@remote.test", [f"{me.pw_name}@host.test"], LETTER % b"race")
            time.sleep(0.08)
            # each delivery opens the folder anew
            for pid in children_of(spawner):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        over.set()
        racer.join()
        if os.path.islink(box):
            exchange(box, trap)
        def empty():
            t.ctl("postqueue", "-f")
            return "Mail queue is empty" in t.ctl("mailq")
        until(empty, 60, 0.5)
        # one that was being delivered when its process was killed may come twice
        ids = re.findall(r"(\w+): from=<a@remote.test>", t.log())
        texts = [open(f, "rb").read() for f in glob.glob(f"{box}/new/*")]
        assert len(ids) == 40 and all(any(i.encode() in text for text in texts) for i in ids), (len(ids), len(texts))
        assert t.pids()["local"] == [spawner]
        assert not [f for _, _, files in os.walk(elsewhere) for f in files]
        assert all(os.stat(f).st_uid == me.pw_uid for f in glob.glob(f"{box}/new/*"))
        with open(f"{t.dir}/log/master.out") as f:
            refused = len(re.findall(r"Maildir: Not a directory", f.read()))
        print(f"  {refused} deliveries met the link; {len(texts) - 40} came twice")
        assert refused > 0


# What the processes have of root's powers: numbers of linux/capability.h.
CHOWN, OVERRIDE, SEARCH, KILL, SETGID, SETUID, SETPCAP, LOW_PORTS, CHROOT, RESOURCE, AUDIT = 0, 1, 2, 5, 6, 7, 8, 10, 18, 24, 29
MASTER = sum(1 << c for c in (CHOWN, SEARCH, KILL, SETGID, SETUID, SETPCAP, LOW_PORTS, CHROOT, RESOURCE))
STARTED = MASTER | 1 << OVERRIDE | 1 << AUDIT
SPAWNER = sum(1 << c for c in (CHOWN, OVERRIDE, KILL, SETGID, SETUID, SETPCAP, CHROOT))
RUNNER = sum(1 << c for c in (KILL, SETGID, SETUID, SETPCAP))
ROOTS = dict(dict.fromkeys(SPAWNERS, SPAWNER), accountd=STARTED, commandd=RUNNER)


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
        imap = Imap(t.imaps, t.context())
        imap.select("INBOX")
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
        imap.ok("NOOP")
        children = [pid for d in SPAWNERS for pid in children_of(pids[d][0])]
        assert len(children) == 3, children
        for pid in children:
            st = status_of(pid)
            assert st["Uid"].split("\t") == [str(mail)] * 4 and st["Groups"].strip() == "", st
            assert all(int(st[c], 16) == 0 for c in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")), st
            assert st["NoNewPrivs"] == "1" and st["Seccomp"] == "2" and os.stat(f"/proc/{pid}/mem").st_uid == 0, st
            assert os.readlink(f"/proc/{pid}/root").startswith(f"{t.dir}/mail/example.test/"), pid
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert not any("memfd" in h or "listener" in h or "inotify" in h for h in held) and len(held) <= 14, held
        # and nobody else of this tree
        everybody = suite.run("ps", "-eo", "pid=,ppid=,uid=,args=").stdout.split("\n")
        roots = [line for line in everybody if f"{t.lib}/" in line and line.split()[2] == "0"]
        assert len(roots) <= 1, roots
        c.quit()
        imap.ok("LOGOUT")
        imap.sock.close()


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
        imaps = [Imap(t.imaps, t.context()) for _ in range(2)]
        for c in imaps:
            c.select("INBOX")
        until(lambda: states(t, "bob") == ["asleep", "asleep"])
        imaps[0].ok("NOOP")
        held = [t.pop3_client("bob"), t.smtp_client(t.submission, tls=True), t.smtp_client(tls=True), *(c.sock for c in imaps)]
        pem = open(f"{t.dir}/tls/key.pem", "rb").read()
        der = subprocess.run(["openssl", "pkey", "-outform", "DER", "-traditional"], input=pem, capture_output=True, check=True).stdout
        scalar = der[der.index(b"\x02\x01\x01\x04\x20") + 5:][:32]
        # as a number in memory, as octets, as text
        marks = [scalar, scalar[::-1], pem.split(b"\n")[1][:48]]
        pids = dict(t.pids(), master=[t.master.pid])
        for d in SPAWNERS:
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


class Tool:
    """Says to local's socket what `tayori mailbox` never says."""
    names = re.findall(r"\tM\((\w+),", open(f"{suite.TOP}/lib/ipc/messages.h").read())

    def __init__(self, t):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        self.sock.connect(f"{t.dir}/run/mailbox")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    @staticmethod
    def frame(user=b"bob@example.test", verb=b"list", args=(), file=1, kind="mailbox_task", serial=1):
        def text(s):
            return struct.pack("<I", len(s)) + s
        rows = b"".join(map(text, args))
        return (struct.pack("<HHI", Tool.names.index(kind) + 1, 0, serial) + text(user) + text(verb) +
                struct.pack("<I", len(args)) + text(rows) + bytes([file]))

    def ask(self, frame, fd=None):
        """The answer's status; None: closed, or nobody listens."""
        try:
            if fd is None:
                self.sock.send(frame)
            else:
                socket.send_fds(self.sock, [frame], [fd])
            got = self.sock.recv(70000)
            return got[8] if got else None
        except ConnectionError:
            return None


def test_tool_socket():
    """The socket of `tayori mailbox`: only root, one question, and nothing in it is believed."""
    need_evil()
    with Evil([], "", main="auth_system_users = yes\n") as t, tempfile.TemporaryFile() as file:
        t.up()
        ok, usage, no_user, later = 0, 2, 3, 4
        path = f"{t.dir}/run/mailbox"
        assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(path).st_uid == 0

        def ask(frame, fd=file.fileno()):
            with Tool(t) as tool:
                return tool.ask(frame, fd)
        assert ask(Tool.frame()) == ok
        for user in b"nobody@example.test", b"..", b"../bob", b"/", b"bob@example.test/..", b"bob\n", b"root@", b"daemon", b"bob@example.test ":
            assert ask(Tool.frame(user=user)) in (no_user, later), user
        assert ask(Tool.frame(user=b"root", verb=b"create", args=[b"Evil"])) in (no_user, later)
        for verb in b"", b"bogus", b"list ", b"LIST", b"x" * 70000, b"list\0":
            assert ask(Tool.frame(verb=verb)) == usage, verb[:10]
        for verb, args in (b"create", []), (b"create", [b"a"] * 2), (b"rename", [b"a"]), (b"list", [b"x"] * 5000), (b"check", [b"x"]):
            assert ask(Tool.frame(verb=verb, args=args)) == usage, verb
        for name in b"", b"..", b"../bob", b"/etc", b"a/b", b"x" * 60000, b"a\0b", b"a\nb", b".", b"a..b", b"\xff\xfe":
            assert ask(Tool.frame(verb=b"create", args=[name])) not in (ok, None), name[:20]
            assert ask(Tool.frame(verb=b"delete", args=[name])) not in (ok, None), name[:20]
            assert ask(Tool.frame(verb=b"rename", args=[b"INBOX", name])) not in (ok, None), name[:20]
        closed = [Tool.frame(user=b""), Tool.frame(user=b"x" * 400), Tool.frame(user=b"bob@example.test\0"), Tool.frame(serial=0), b"x", b"\0" * 8,
                  Tool.frame()[:-1], Tool.frame() + b"x", Tool.frame(file=2), b"\0" * 85000]
        closed += [Tool.frame(kind=k) for k in ("deliver", "who", "kick", "control", "settings", "mailbox_find", "mailbox_done")]
        for frame in closed:
            assert ask(frame) is None, frame[:30]
        assert ask(Tool.frame(file=0), None) is None and ask(Tool.frame(), None) is None
        for what in os.pipe()[1], os.open("/", os.O_RDONLY), t.listener.fileno(), os.open("/dev/null", os.O_WRONLY):
            assert ask(Tool.frame(), what) is None, what
        with Tool(t) as tool:  # one question a connection
            assert tool.ask(Tool.frame(), file.fileno()) == ok and tool.ask(Tool.frame(), file.fileno()) is None
        # many at once: some are refused, none harms; then all is as before
        tools = [Tool(t) for _ in range(20)]
        assert sum(tool.ask(Tool.frame(verb=b"check"), file.fileno()) == ok for tool in tools) == 4
        for tool in tools:
            tool.sock.close()
        silent = [Tool(t) for _ in range(4)]
        assert ask(Tool.frame()) is None
        until(lambda: ask(Tool.frame()) == ok)  # they have lost their places
        for tool in silent:
            tool.sock.close()
        for _ in range(30):  # whoever leaves does not take the task with it
            with contextlib.suppress(OSError), Tool(t) as tool:
                socket.send_fds(tool.sock, [Tool.frame(verb=b"rebuild")], [file.fileno()])
        until(lambda: ask(Tool.frame()) == ok)
        # the mode first, and behind it the kernel's word
        nobody = pwd.getpwnam("nobody").pw_uid
        for mode, heard in (0o600, b"refused"), (0o666, b"closed"):
            os.chmod(path, mode)
            os.chmod(f"{t.dir}/run", 0o755)
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    os.setgroups([])
                    os.setresuid(nobody, nobody, nobody)
                    try:
                        with Tool(t) as tool:
                            os._exit(1 if tool.ask(Tool.frame(), file.fileno()) is None else 3)
                    except PermissionError:
                        os._exit(0)
                os._exit(4)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (1 if heard == b"closed" else 0), (mode, heard)
        os.chmod(path, 0o600)
        assert ask(Tool.frame()) == ok
        t.submit("after")
        t.wait_log("to=<bob@example.test>.*status=sent")
        assert "panic" not in t.log() and t.up()


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
