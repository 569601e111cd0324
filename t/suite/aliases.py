#!/usr/bin/env python3
"""Aliases and .forward files: lists with owners, files, commands, and what users may make of them."""
import fcntl
import json
import mailbox
import os
import pwd
import re
import signal
import smtplib
import stat
import subprocess
import time

import accounts
import suite
from suite import Instance, need, until

LETTER = b"From: a@remote.test\r\nSubject: %s\r\n\r\nto an alias\r\n.\r\nFrom here it is body\r\n"
LIMIT = 60
MAIN = accounts.MAIN.replace("unix:passwd.byname\n", "unix:passwd.byname, $alias_maps\n") + """
alias_maps = lmdb:$config_directory/aliases
recipient_delimiter = +
minimal_backoff_time = 1s
maximal_backoff_time = 2s
deliver_lock_attempts = 3
local_child_idle_time = 1s
"""
# nobody else's, so that several such tests may run at a time
ANNA, BEN = f"tyr-anna{os.getpid()}", f"tyr-ben{os.getpid()}"


class Host(Instance):
    """An instance with the accounts of the host, and a folder in which everybody may write."""
    def __init__(self, aliases="", main="", **how):
        self.aliases = aliases
        self.people = accounts.Accounts((ANNA, BEN))
        super().__init__(main=MAIN + main, start=False, **how)

    def __enter__(self):
        self.people.__enter__()
        try:
            super().__enter__()
            self.world = f"{self.dir}/world"
            os.mkdir(self.world)
            os.chmod(self.world, 0o1777)
            self.set_aliases(self.aliases, False)
            self.quickstart()
        except BaseException:
            self.people.__exit__()
            raise
        return self

    def __exit__(self, *how):
        try:
            return super().__exit__(*how)
        finally:
            self.people.__exit__()

    def set_aliases(self, text, running=True):
        """@W stands for the folder of all."""
        with open(f"{self.dir}/etc/aliases", "w") as f:
            f.write(text.replace("@W", self.world))
        self.ctl("newaliases")

    def script(self, name, text):
        path = f"{self.world}/{name}"
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def mail_to(self, *names, subject="hello", sender="a@remote.test"):
        refused = self.send(sender, [f"{n}@host.test" for n in names], LETTER % subject.encode())
        assert not refused, refused

    def ready(self, daemon, but):
        """It serves, as another process than that one."""
        rows = json.loads(self.ctl("tayori", "status", "--json", check=False).stdout or "[]")
        return any(r["daemon"] == daemon and r["state"] == "ready" and r["pid"] != but for r in rows)

    def home(self, name):
        return f"{self.people.homes}/{name}"

    def new(self, name):
        """The texts of the mail in an account's mailbox."""
        out = []
        for folder in "new", "cur":
            path = f"{self.home(name)}/Maildir/{folder}"
            for f in os.listdir(path) if os.path.isdir(path) else []:
                try:
                    with open(f"{path}/{f}", "rb") as file:
                        out.append(file.read())
                except FileNotFoundError:
                    pass
        return out

    def read(self, name):
        try:
            with open(f"{self.world}/{name}", "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def forward(self, name, text, mode=0o600, path=".forward"):
        path = f"{self.home(name)}/{path}"
        with open(path + ".tmp", "w") as f:
            f.write(text.replace("@W", self.world))
        os.chmod(path + ".tmp", mode)
        pw = pwd.getpwnam(name)
        os.chown(path + ".tmp", pw.pw_uid, pw.pw_gid)
        os.rename(path + ".tmp", path)

    def status(self, to, what):
        return self.wait_log(rf"to=<{re.escape(to)}>.* status={what}", LIMIT)

    def empty(self):
        until(lambda: not os.listdir(f"{self.dir}/queue/env"), LIMIT)


def test_lists_files_and_commands():
    aliases = f"""# as in aliases(5)
postmaster: root
root: {ANNA}
team: {ANNA}, "|cat > @W/said; env > @W/env; id > @W/who",
    @W/box, :include:@W/list
plain: |@W/plain one two
"""
    with Host(aliases) as t:
        t.script("plain", f'cat > {t.world}/plain.in; echo "$# $1 $2" > {t.world}/plain.args; pwd >> {t.world}/plain.args; umask >> {t.world}/plain.args\n')
        with open(f"{t.world}/list", "w") as f:
            f.write(f"# members\n{BEN}, postmaster@host.test\n")
        t.mail_to("team", "plain", "postmaster")
        t.status("team@host.test", r"sent \(delivered to command: cat > ")
        t.status("team@host.test", r"sent \(delivered to file: ")
        t.status("team@host.test", r"sent \(forwarded as ")
        t.status("plain@host.test", r"sent \(delivered to command: ")
        t.empty()
        assert len(t.new(ANNA)) == 1 and len(t.new(BEN)) == 1, (t.new(ANNA), t.new(BEN))
        said = t.read("said")
        assert said.startswith(b"From a@remote.test ") and b"\nReturn-Path: <a@remote.test>\n" in said, said
        assert b"\nDelivered-To: team@host.test\n" in said and said.endswith(b"\n\nto an alias\n.\nFrom here it is body\n"), said
        env = t.read("env").decode()
        for want in "SENDER=a@remote.test", "RECIPIENT=team@host.test", "USER=nobody", "PATH=/usr/bin:/bin", "LOCAL=team", "DOMAIN=host.test", "CLIENT_ADDRESS=127.0.0.1":
            assert want in env, env
        assert not re.search(r"(?m)^(LD_|TAYORI|ASAN)", env), env
        assert re.match(rf"uid={pwd.getpwnam('nobody').pw_uid}\(nobody\) gid=\d+\(nogroup\)( groups=\d+\(nogroup\))?$", t.read("who").decode().strip()), t.read("who")
        assert t.read("plain.args") == b"2 one two\n/\n0077\n", t.read("plain.args")
        box = t.read("box")
        assert box.startswith(b"From a@remote.test ") and b"\n>From here it is body\n\n" in box, box
        st = os.stat(f"{t.world}/box")
        assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == pwd.getpwnam("nobody").pw_uid
        assert not os.path.exists(f"{t.world}/box.lock")


def test_exit_codes():
    """Each as sysexits.h and Postfix have it; a bounce names the alias and what the command said."""
    codes = {0: ("sent", "2.0.0", "delivered to command"), 75: ("deferred", "4.3.0", "temporary failure"), 67: ("bounced", "5.1.1", "user unknown. Command output: no such person here"),
             1: ("bounced", "5.3.0", 'Command died with status 1: "exit 1"'), 69: ("bounced", "5.3.0", "service unavailable"), 77: ("bounced", "5.7.0", "permission denied"),
             71: ("deferred", "4.3.0", "system resource problem")}
    aliases = f'returns: {ANNA}\nsignal: |"kill -9 $$"\nmissing: |@W/missing x\nloud: |"yes | head -c 200000; exit 65"\nsaid: |"echo no such person  here >&2; exit 67"\n'
    aliases += "".join(f'code{c}: "|exit {c}"\n' for c in codes if c != 67)
    with Host(aliases) as t:
        t.mail_to(*[f"code{c}" for c in codes if c != 67], "said", "signal", "missing", "loud", sender="returns@host.test")
        for c, (status, dsn, text) in codes.items():
            t.wait_log(rf"to=<{'said' if c == 67 else f'code{c}'}@host.test>.* dsn={re.escape(dsn)}, status={status} \({re.escape(text)}", LIMIT)
        t.wait_log(r"to=<signal@host.test>.* dsn=4.3.0, status=deferred \(Command died with signal 9: ", LIMIT)
        t.wait_log(r"to=<missing@host.test>.* dsn=5.3.0, status=bounced \(Command died with status 127: .* Command output: \S*missing: No such file", LIMIT)
        t.wait_log(r"to=<loud@host.test>.* dsn=5.6.0, status=bounced \(data format error. Command output: y y y ", LIMIT)
        until(lambda: t.new(ANNA), LIMIT)
        bounce = t.new(ANNA)[0].decode()
        assert "Final-Recipient: rfc822; said@host.test" in bounce and "no such person here" in bounce, bounce
        assert "code0@" not in bounce and "code75@" not in bounce, bounce


def alive(name):
    return subprocess.run(["pgrep", "-f", name], capture_output=True).returncode == 0


def test_what_a_command_leaves_behind_is_ended():
    aliases = 'slow: |@W/stubborn\nback: |@W/background\n'
    with Host(aliases, main="command_time_limit = 8s\n") as t:
        mark = f"tyr{os.getpid()}sleeper"
        t.script(mark, "trap '' TERM HUP INT\nwhile :; do sleep 1; done\n")
        t.script("stubborn", f"trap '' TERM HUP INT\ncat > /dev/null\n{t.world}/{mark} a &\nsetsid {t.world}/{mark} b &\n({t.world}/{mark} c &)\n"
                 f"while :; do sleep 1; done\n")
        t.script("background", f"{t.world}/{mark} d > /dev/null 2>&1 &\nexit 0\n")
        t.mail_to("slow", "back")
        t.wait_log(r"to=<slow@host.test>.* dsn=5.3.0, status=bounced \(Command time limit exceeded: ", LIMIT)
        t.status("back@host.test", r"sent \(delivered to command")
        until(lambda: not alive(mark), LIMIT)
        # and when its parents are killed
    with Host(aliases) as t:
        t.script(mark, "trap '' TERM HUP INT\nwhile :; do sleep 1; done\n")
        t.script("stubborn", f"trap '' TERM HUP INT\n{t.world}/{mark} a &\nwhile :; do sleep 1; done\n")
        t.mail_to("slow")
        until(lambda: alive(mark), LIMIT)
        os.kill(t.pids()["commandd"][0], signal.SIGKILL)
        until(lambda: "a delivery ended without a result" in t.log(), LIMIT)
        with open(f"{t.world}/stubborn", "w") as f:
            f.write("#!/bin/sh\nexit 0\n")
        t.status("slow@host.test", r"sent \(delivered to command")
        until(lambda: not alive(mark), LIMIT)


def test_what_a_command_may_not_do():
    """Not beyond the user's own rights: no powers, no other groups, no descriptors, no setuid files, no namespaces."""
    with Host(f"probe: |@W/probe\n") as t:
        t.script("probe", f"""exec > {t.world}/probe.out 2>&1
grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
ls -l /proc/self/fd | wc -l
touch {t.world}/f; chmod u+s {t.world}/f && echo SUID
chmod 755 {t.world}/f && echo plain chmod
unshare -U true && echo NAMESPACE
unshare -r id && echo NAMESPACE
mount -t tmpfs none /mnt && echo MOUNT
setsid true && echo SESSION
kill -0 1 && echo KILL
cat {t.dir}/etc/passwd /etc/shadow && echo SECRET
ls {t.dir}/queue && echo QUEUE
ulimit -c
exit 0
""")
        t.mail_to("probe")
        t.status("probe@host.test", "sent")
        out = t.read("probe.out").decode()
        assert not re.search("SUID|NAMESPACE|MOUNT|SESSION|KILL|SECRET|QUEUE", out), out
        assert "plain chmod" in out and "NoNewPrivs:\t1" in out and "Seccomp:\t2" in out, out
        assert all(int(v, 16) == 0 for v in re.findall(r"Cap\w+:\t(\w+)", out)), out


def test_files_that_are_no_mailboxes():
    aliases = "".join(f"{n}: @W/{n}\n" for n in ("link", "hard", "program", "fifo", "folder", "held", "dotted", "stale", "shut", "torn")) + "null: /dev/null\nmaildir: @W/maildir/\n"
    with Host(aliases, main="stale_lock_time = 100s\n") as t:
        nobody = pwd.getpwnam("nobody")
        def make(name, text=b"", mode=0o600):
            with open(f"{t.world}/{name}", "wb") as f:
                f.write(text)
            os.chmod(f"{t.world}/{name}", mode)
            os.chown(f"{t.world}/{name}", nobody.pw_uid, nobody.pw_gid)
        for name in ("target", "hard", "held", "dotted", "stale", "stale.lock", "dotted.lock"):
            make(name)
        make("torn", b"From x Sat Nov 28 21:08:16 2026\nSubject: half\n\nno end")
        make("program", mode=0o700)
        os.symlink("target", f"{t.world}/link")
        os.link(f"{t.world}/hard", f"{t.world}/second")
        os.mkfifo(f"{t.world}/fifo", 0o666)
        os.mkdir(f"{t.world}/folder", 0o777)
        os.utime(f"{t.world}/stale.lock", (time.time() - 1000,) * 2)
        with open(f"{t.world}/shut", "w") as f:
            os.chmod(f.name, 0o600)
        with open(f"{t.world}/held", "ab") as held:
            fcntl.lockf(held, fcntl.LOCK_EX)
            t.mail_to("link", "hard", "program", "fifo", "folder", "held", "dotted", "stale", "null", "shut", "maildir", "torn")
            for name, why in dict(link="Too many levels", hard="more than one name", program="is a program", folder="Is a directory", fifo="(is no regular file|Permission denied)",
                                  held="another program holds", dotted="dotted.lock is there", shut="Permission denied").items():
                t.status(f"{name}@host.test", rf"deferred \(cannot append message to file .*{why}")
        for name in "stale", "null", "maildir", "torn":
            t.status(f"{name}@host.test", "sent")
        os.unlink(f"{t.world}/dotted.lock")
        for name in "held", "dotted":
            t.status(f"{name}@host.test", r"sent \(delivered to file")
            assert t.read(name).count(b"\nSubject: hello\n") == 1
        assert len(os.listdir(f"{t.world}/maildir/new")) == 1
        assert len(mailbox.mbox(f"{t.world}/torn")) == 2
        assert t.read("target") == t.read("hard") == t.read("program") == b""


def test_other_programs_read_the_file():
    need("s-nail", "mutt", "script")
    with Host("box: @W/box\n") as t:
        for i in range(3):
            t.mail_to("box", subject=f"number {i}")
        until(lambda: t.read("box").count(b"\nDelivered-To: ") == 3, LIMIT)
        t.empty()
        assert [m["subject"] for m in mailbox.mbox(f"{t.world}/box")] and len(mailbox.mbox(f"{t.world}/box")) == 3
        r = suite.run("s-nail", "-n", "-R", "-H", "-f", f"{t.world}/box", stdin=subprocess.DEVNULL)
        assert len(re.findall(r"number \d", r.stdout)) == 3, r.stdout + r.stderr
        rc = f"{t.dir}/muttrc"
        with open(rc, "w") as f:
            f.write(f'set folder={t.dir} sleep_time=0 quit=yes sort=mailbox-order move=no\npush "<exit>"\n')
        r = suite.run("script", "-qec", f"env HOME={t.dir} TERM=xterm mutt -n -R -F {rc} -f {t.world}/box", "/dev/null", stdin=subprocess.DEVNULL)
        assert "Msgs:3" in r.stdout and all(f"number {i}" in r.stdout for i in range(3)), r.stdout


def test_full_disk_leaves_the_file_as_it_was():
    """A file system of a few pages."""
    with Host("box: @W/small/box\n") as t:
        small = f"{t.world}/small"
        os.mkdir(small)
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "none", small], capture_output=True)
        if r.returncode:
            raise suite.Skip("nothing can be mounted here")
        try:
            with open(f"{small}/box", "wb") as f:
                f.write(b"From x Sat Nov 28 21:08:16 2026\n\nold\n\n")
            nobody = pwd.getpwnam("nobody")
            os.chown(f.name, nobody.pw_uid, nobody.pw_gid)
            os.chmod(f.name, 0o600)
            before = t.read("small/box")
            t.send("a@remote.test", ["box@host.test"], LETTER % b"large" + b"x" * 70 * 1000 + b"\r\n")
            t.status("box@host.test", r"deferred \(cannot append message to file .*No space left")
            until(lambda: t.read("small/box") == before, LIMIT)
        finally:
            t.stop()
            subprocess.run(["umount", "-l", small], capture_output=True)


def test_retry_doubles_nothing():
    aliases = f'three: {ANNA}, |@W/later, "|echo x >> @W/once", @W/box\n'
    with Host(aliases) as t:
        t.script("later", f"echo try >> {t.world}/tries\ntest -e {t.world}/go || exit 75\n")
        t.mail_to("three")
        until(lambda: t.read("tries").count(b"try") >= 3, LIMIT)
        with open(f"{t.world}/go", "w"):
            pass
        t.empty()
        assert t.read("once") == b"x\n" and t.read("box").count(b"\nDelivered-To: ") == 1 and len(t.new(ANNA)) == 1


def test_owner():
    aliases = f'list: {BEN}, "|exit 1"\nowner-list: {ANNA}\n'
    with Host(aliases) as t:
        t.mail_to("list", BEN, sender="stranger@remote.test")
        t.status("list@host.test", "bounced")
        until(lambda: t.new(ANNA) and t.new(BEN), LIMIT)
        assert b"Final-Recipient: rfc822; list@host.test" in t.new(ANNA)[0]
        # whom both ways lead to, one message reaches once
        t.empty()
        assert len(t.new(BEN)) == 1 and len(t.new(ANNA)) == 1
        assert re.search(r"with another sender as \w+", t.log()) or b"Return-Path: <owner-list@host.test>" in t.new(BEN)[0]
        # a bounce stays one, and goes to nobody
        t.mail_to("list", sender="")
        t.wait_log(r"undeliverable mail without a sender dropped", LIMIT)


def test_newaliases_and_the_file_of_debian():
    with Host("") as t:
        with open(f"{t.dir}/etc/aliases", "w") as f:
            f.write(f"# /etc/aliases\nmailer-daemon: postmaster\npostmaster: root\nnobody: root\nhostmaster: root\nroot: {ANNA}\nopen: \"|x\nempty: ,\nroot: {BEN}\n stray\n")
        r = t.ctl("newaliases", check=False)
        for want in r"line 9: warning: .*(duplicate|twice|already)", r"open: '\"\|x' is no address", "empty: leads nowhere":
            assert re.search(want, r.stderr), r.stderr
        assert r.returncode == 0
        t.send("a@remote.test", ["postmaster@host.test", "Mailer-Daemon@host.test"], LETTER % b"x")
        until(lambda: t.new(ANNA), LIMIT)
        t.empty()
        assert len(t.new(ANNA)) == 1
        assert t.ctl("sendmail", "-bi", check=False).returncode == 0


def test_forward():
    """Every kind of item, the own mailbox, extensions, and what has changed in between."""
    with Host() as t:
        t.script("tell", f'echo "$USER $HOME $EXTENSION $(id -un) $(pwd)" > {t.world}/told; cat > /dev/null\n')
        t.forward(ANNA, f'# mine\n\\{ANNA}, {BEN}@host.test\n"|{t.world}/tell"\n{t.home(ANNA)}/copy\n:include:{t.home(ANNA)}/more\n')
        t.forward(ANNA, f"{BEN}+included@host.test\n", path="more")
        t.forward(ANNA, f'"|cat > @W/ext; exit 0"\n', path=".forward+list")
        t.mail_to(ANNA)
        t.status(f"{ANNA}@host.test", r"sent \(forwarded as ")
        t.empty()
        assert len(t.new(ANNA)) == 1 and len(t.new(BEN)) == 2, (t.new(ANNA), t.new(BEN))
        assert f"orig_to=<{ANNA}@host.test>" in t.log()
        assert t.read("told").decode().split() == [ANNA, t.home(ANNA), ANNA, t.home(ANNA)], t.read("told")
        with open(f"{t.home(ANNA)}/copy") as f:
            assert f.read().count("\nSubject: hello\n") == 1
        assert os.stat(f"{t.home(ANNA)}/copy").st_uid == pwd.getpwnam(ANNA).pw_uid
        t.mail_to(f"{ANNA}+list", f"{ANNA}+a/b")
        t.empty()
        assert b"Delivered-To: " + ANNA.encode() + b"+list@host.test" in t.read("ext")
        # the extension without a file, and one that may not stand in a name, are the user's
        assert len(t.new(ANNA)) == 2 and len(t.new(BEN)) == 4
        # the user's own name alone is the mailbox
        t.forward(ANNA, f"{ANNA}@host.test\n")
        t.mail_to(ANNA)
        t.empty()
        assert len(t.new(ANNA)) == 3


def test_a_command_that_is_gone_is_not_run():
    with Host() as t:
        t.forward(ANNA, f'"|exit 75", {BEN}\n')
        t.mail_to(ANNA)
        t.status(f"{ANNA}@host.test", r"deferred \(temporary failure")
        until(lambda: len(t.new(BEN)) == 1, LIMIT)
        t.forward(ANNA, f'{BEN}, "|cat > @W/now"\n')
        t.empty()
        assert t.read("now") and len(t.new(BEN)) == 1
        t.forward(ANNA, f'"|exit 75", {BEN}\n')
        t.mail_to(ANNA)
        until(lambda: t.log().count("deferred (temporary failure") >= 2, LIMIT)
        os.unlink(f"{t.home(ANNA)}/.forward")
        t.empty()
        assert len(t.new(ANNA)) == 1 and len(t.new(BEN)) == 2
    with Host('x: "|exit 75"\n') as t:
        t.mail_to("x")
        t.status("x@host.test", r"deferred \(temporary failure")
        t.set_aliases(f"x: {BEN}\n")
        t.empty()
        assert len(t.new(BEN)) == 1


def test_forward_that_is_not_safe():
    with Host() as t:
        path = f"{t.home(ANNA)}/.forward"
        def bad(n, why):
            t.mail_to(ANNA)
            until(lambda: len(t.new(ANNA)) == n, LIMIT)
            t.wait_log(why, LIMIT)
        t.forward(ANNA, BEN, mode=0o622)
        bad(1, r"warning: .*\.forward is not used: it may be written by others")
        t.forward(ANNA, BEN, mode=0o660)
        bad(2, r"may be written by others")
        os.rename(path, path + "2")
        os.chmod(path + "2", 0o600)
        os.symlink(".forward2", path)
        bad(3, r"\.forward is not used: Too many levels of symbolic links")
        os.unlink(path)
        with open(path, "w") as f:
            f.write(BEN)
        os.chown(path, pwd.getpwnam(BEN).pw_uid, 0)
        bad(4, r"\.forward is not used: it belongs to another user")
        os.unlink(path)
        os.mkfifo(path)
        os.chown(path, pwd.getpwnam(ANNA).pw_uid, 0)
        bad(5, r"\.forward is not used: it is no regular file")
        os.unlink(path)
        t.forward(ANNA, BEN)
        os.chmod(t.home(ANNA), 0o770)
        bad(6, r"may be written by others: no \.forward in it is used")
        os.chmod(t.home(ANNA), 0o700)
        t.forward(ANNA, "x" * 70000)
        bad(7, r"larger than 64 KiB")
        t.forward(ANNA, "\n# nothing\n,\n")
        bad(8, r"")
        t.forward(ANNA, '"|open\na b, c@d@e\n')
        bad(9, r"is no item, and is passed over")
        # a list in it that is not there makes mail wait
        t.forward(ANNA, f":include:/nowhere/list, {BEN}\n")
        t.mail_to(ANNA)
        t.status(f"{ANNA}@host.test", r"deferred \(/nowhere/list: No such file")
        assert not t.new(BEN)
        t.forward(ANNA, f"{BEN}\n")
        t.empty()
        assert len(t.new(BEN)) == 1


def test_loops():
    with Host(f"around: {ANNA}\nself: :include:@W/self\nlist: :include:@W/a\n") as t:
        with open(f"{t.world}/self", "w") as f:
            f.write(f"self@host.test\n")
        with open(f"{t.world}/a", "w") as f:
            f.write(f":include:{t.world}/b, {BEN}\n")
        with open(f"{t.world}/b", "w") as f:
            f.write(f":include:{t.world}/a\n{BEN}+b\n")
        t.mail_to("self", "list", sender="")
        t.status("self@host.test", r"bounced \(mail forwarding loop for self@host.test")
        until(lambda: len(t.new(BEN)) == 2, LIMIT)
        t.forward(ANNA, f"{BEN}\n")
        t.forward(BEN, f"around\n")
        t.mail_to(ANNA, sender="")
        t.status(f"{BEN}@host.test", rf"bounced \(mail forwarding loop for {BEN}@host.test")
        # each keeps a copy: no loop
        t.forward(ANNA, f"\\{ANNA}, {BEN}\n")
        t.forward(BEN, f"\\{BEN}, {ANNA}\n")
        t.mail_to(ANNA)
        t.empty()
        assert len(t.new(ANNA)) == 1 and len(t.new(BEN)) == 3
        # it was here before, and was sent on by another host
        t.send("", [f"{ANNA}@host.test"], f"Delivered-To: {ANNA}@host.test\r\n".encode() + LETTER % b"again")
        t.wait_log(rf"to=<{ANNA}@host.test>.* dsn=5.4.6, status=bounced \(mail forwarding loop for {ANNA}@host.test", LIMIT)


def test_killed_in_between():
    """local, commandd and qmgr die between expansion, delivery and note: nothing is lost, mailboxes and what was noted get no second copy."""
    with Host(f'team: {ANNA}, {BEN}, "|cat >> @W/ran", @W/box\n') as t:
        t.forward(ANNA, f'\\{ANNA}, "|sleep 0.05; echo x >> @W/mine"\n')
        again = set()
        def accepted(i):
            try:
                t.mail_to("team", subject=f"number {i}")
                return True
            except (AssertionError, OSError, smtplib.SMTPException):
                again.add(i)  # as after a 451: nobody has promised anything, but it may be there
        for i in range(12):
            until(lambda: accepted(i), LIMIT)
            daemon = ("local", "commandd", "qmgr")[i % 3]
            victim = t.pids()[daemon][0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: t.ready(daemon, victim), LIMIT)
        t.empty()
        for name in ANNA, BEN:
            got = [int(re.search(rb"number (\d+)", m)[1]) for m in t.new(name)]
            assert set(got) == set(range(12)), (name, got)
            assert all(got.count(i) == 1 for i in set(range(12)) - again), (name, got, again)
        for name in "ran", "box":
            assert all(b"number %d\n" % i in t.read(name) for i in range(12)), name
        assert t.read("mine").count(b"x") >= 12


def test_virtual_users_have_no_commands():
    """Nor files: not by virtual aliases, and not by a .forward in the mail folder."""
    with Host("", virtual="x@example.test |cat\n") as t:
        os.makedirs(t.mail("bob"), exist_ok=True)
        st = os.stat(f"{t.dir}/mail")
        for path in os.path.dirname(t.mail("bob")), t.mail("bob"):
            os.chown(path, st.st_uid, st.st_gid)
        with open(f"{t.mail('bob')}/.forward", "w") as f:
            f.write("|touch /tmp/tyr-evil\n")
        os.chown(f.name, st.st_uid, st.st_gid)
        assert t.send("a@remote.test", ["bob@example.test", "x@example.test"], LETTER % b"x")["x@example.test"][0] == 451
        assert len(t.fetch("bob", wait=1)) == 1 and not os.path.exists("/tmp/tyr-evil")



def test_patterns_run_nothing():
    """A stranger chooses the address: no piece of it gets into a command, nor does any command stand beside a table of patterns."""
    with Host("run: \"|touch @W/ran\"\n", "alias_maps = pcre:$config_directory/patterns, lmdb:$config_directory/aliases\n") as t:
        with open(f"{t.dir}/etc/patterns", "w") as f:
            f.write(f'/^(.*)-sh$/ "|touch {t.world}/$1"\n/^all-(.*)$/ $1\n')
        t.ctl("tayori", "reload")
        for name in "evil-sh", "run":
            refused = t.send("a@remote.test", [f"{name}@host.test", f"all-{ANNA}@host.test"], LETTER % name.encode())
            assert list(refused) == [f"{name}@host.test"] and refused[f"{name}@host.test"][0] == 451, refused
        until(lambda: len(t.new(ANNA)) == 2)
        assert os.listdir(t.world) == []


if __name__ == "__main__":
    suite.main()
