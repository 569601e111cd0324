#!/usr/bin/env python3
"""Accounts of the host: mail for them by their own uid, logins by the shadow file and by PAM, through accountd."""
import fcntl
import os
import pwd
import shutil
import stat
import subprocess
import tempfile

import suite
from suite import Instance, Skip, need, original, until

LETTER = b"From: a@remote.test\r\nSubject: hello\r\n\r\nto an account\r\n"
NAMES = ("tyr-anna", "tyr-ben")


def change(*command, **how):
    """One of the tools that change accounts; it gives up at once when another one is at work."""
    def done():
        r = subprocess.run(command, capture_output=True, text=True, **how)
        assert r.returncode == 0 or "lock" in r.stderr, (command, r.stderr)
        return r.returncode == 0
    until(done, 60)


class Accounts:
    """Two accounts with homes of their own, removed again."""
    def __init__(self, names=NAMES):
        self.names = names

    def __enter__(self):
        if not suite.ROOT:
            raise Skip("accounts are made by root")
        need("useradd", "userdel", "chpasswd")
        # the names are the host's: two runs at a time would take them from each other
        self.turn = open("/run/lock/tayori-test-accounts", "w")
        fcntl.flock(self.turn, fcntl.LOCK_EX)
        self.homes = tempfile.mkdtemp(prefix="tayori-homes-")
        os.chmod(self.homes, 0o755)
        self.remove()
        for name in self.names:
            change("useradd", "-m", "-d", f"{self.homes}/{name}", "-s", "/bin/sh", name)
            os.chmod(f"{self.homes}/{name}", 0o700)
            change("chpasswd", input=f"{name}:secret\n")
        return self

    def remove(self):
        for name in self.names:
            if subprocess.run(["getent", "passwd", name], capture_output=True).returncode == 0:
                change("userdel", "-f", name)

    def __exit__(self, *_):
        self.remove()
        shutil.rmtree(self.homes, ignore_errors=True)
        self.turn.close()


MAIN = "auth_system_users = yes\nmydestination = host.test\nmyorigin = host.test\nlocal_recipient_maps = unix:passwd.byname\n"


def login(t, user, password="secret"):
    import poplib
    c = poplib.POP3_SSL("localhost", t.pop3s, context=t.context(), timeout=60)
    c.user(user)
    c.pass_(password)
    return c


def test_mail_for_accounts():
    with Accounts() as a, Instance(main=MAIN) as t:
        refused = t.send("a@remote.test", ["tyr-anna@host.test", "tyr-nobody@host.test"], LETTER)
        assert list(refused) == ["tyr-nobody@host.test"] and refused["tyr-nobody@host.test"][0] == 550
        new = f"{a.homes}/tyr-anna/Maildir/new"
        until(lambda: os.path.isdir(new) and os.listdir(new))
        uid = pwd.getpwnam("tyr-anna").pw_uid
        for path in (os.path.dirname(new), new, f"{new}/{os.listdir(new)[0]}"):
            st = os.stat(path)
            assert st.st_uid == uid and stat.S_IMODE(st.st_mode) & 0o077 == 0, path
        c = login(t, "tyr-anna")
        assert original(b"".join(line + b"\r\n" for line in c.retr(1)[1])) == LETTER
        c.quit()
        for user, password in (("tyr-anna", "wrong"), ("tyr-nobody", "secret"), ("root", "secret"), ("tyr-ben", "")):
            try:
                login(t, user, password)
                raise AssertionError(f"{user} was let in")
            except Exception as e:
                assert "-ERR" in str(e), e
        # the account's own password counts at once when it is changed
        subprocess.run(["chpasswd"], input="tyr-anna:changed\n", text=True, check=True)
        login(t, "tyr-anna", "changed").quit()


def test_aliases():
    with Accounts() as a, Instance(main=MAIN.replace("passwd.byname", "passwd.byname, $alias_maps") + "alias_maps = lmdb:$config_directory/aliases\n") as t:
        with open(f"{t.dir}/etc/aliases", "w") as f:
            f.write("# as in aliases(5)\nteam: tyr-anna,\n  tyr-ben\nalone: tyr-ben\n")
        t.ctl("newaliases")
        t.ctl("tayori", "reload")
        until(lambda: not t.send("a@remote.test", ["team@host.test"], LETTER))
        for name in NAMES:
            new = f"{a.homes}/{name}/Maildir/new"
            until(lambda: os.path.isdir(new) and os.listdir(new))


def test_low_uids_have_no_mailbox():
    with Accounts(), Instance(main=MAIN + "first_valid_uid = 100000\n") as t:
        t.send("a@remote.test", ["tyr-anna@host.test"], LETTER)
        t.wait_log(r"to=<tyr-anna@host.test>.*status=bounced \(unknown user\)")
        try:
            login(t, "tyr-anna")
            raise AssertionError("let in")
        except Exception as e:
            assert "-ERR" in str(e), e


def test_a_link_for_a_mailbox_is_not_followed():
    with Accounts() as a, Instance(main=MAIN) as t:
        os.symlink(f"{a.homes}/tyr-ben", f"{a.homes}/tyr-anna/Maildir")
        t.send("a@remote.test", ["tyr-anna@host.test"], LETTER)
        t.wait_log(r"to=<tyr-anna@host.test>.*status=deferred")
        assert not os.path.exists(f"{a.homes}/tyr-ben/new")


def test_pam():
    if not os.path.isdir("/etc/pam.d"):
        raise Skip("no PAM here")
    service = "/etc/pam.d/tayori-test"
    with open(service, "w") as f:
        f.write("auth required pam_unix.so\naccount required pam_unix.so\n")
    try:
        with Accounts(), Instance(main=MAIN + "auth_pam_service = tayori-test\n") as t:
            login(t, "tyr-ben").quit()
            try:
                login(t, "tyr-ben", "wrong")
                raise AssertionError("let in")
            except Exception as e:
                assert "-ERR" in str(e), e
    finally:
        os.unlink(service)


if __name__ == "__main__":
    suite.main()
