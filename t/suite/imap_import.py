#!/usr/bin/env python3
"""Mailboxes that Dovecot or Courier kept: taken over by 'tayori mailbox import' as they are, and given back."""
import contextlib
import os
import poplib
import pwd
import re
import subprocess
import tempfile

import suite
from imapwire import Imap
from suite import ROOT, Instance, Skip, run, until

DOVECOT = """
log_path = {dir}/log
base_dir = {dir}/run
state_dir = {dir}/state
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{mail}{more}
first_valid_uid = 1
default_internal_user = {user}
default_login_user = {user}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""
SUB = '"&ZeVnLIqe-.Sub"'  # 日本語.Sub


def letter(name, lines=1):
    return f"From: a@remote.test\r\nSubject: {name}\r\n\r\n".encode() + b"line\r\n" * lines


def connect(port):
    try:
        return Imap(port, user="bob")
    except OSError:
        return None


@contextlib.contextmanager
def dovecot(t, more=""):
    """Dovecot over the mailbox of bob; its ports for IMAP and POP3."""
    if not ROOT or not os.path.exists("/usr/sbin/dovecot"):
        raise Skip("needs root and dovecot")
    owner = os.stat(f"{t.dir}/mail")
    os.makedirs(t.mail(), exist_ok=True)
    for path in os.path.dirname(t.mail()), t.mail():
        os.chown(path, owner.st_uid, owner.st_gid)
        os.chmod(path, 0o700)
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        os.makedirs(f"{d}/home")
        os.chown(f"{d}/home", owner.st_uid, owner.st_gid)
        port = suite.free_base() + 7
        with open(f"{d}/conf", "w") as f:
            f.write(DOVECOT.format(dir=d, mail=t.mail(), more=more, uid=owner.st_uid, gid=owner.st_gid, port=port, pop3=port + 1, user=pwd.getpwuid(owner.st_uid).pw_name))
        subprocess.run(["/usr/sbin/dovecot", "-c", f"{d}/conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=True)
        try:
            until(lambda: connect(port)).sock.close()
            yield port, port + 1
        finally:
            subprocess.run(["doveadm", "-c", f"{d}/conf", "stop"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
            until(lambda: not os.path.exists(f"{d}/run/master.pid"))


def names(c, command):
    rows = [row for row in c.ok(f'{command} "" *').named(command) if "\\Noselect" not in row[0] and "\\NonExistent" not in row[0]]
    return sorted(n.decode() if isinstance(n, bytes) else n for n in (row[-1] for row in rows))


def folder(c, name):
    """UIDVALIDITY, UIDNEXT and, by UID, what there is of each message."""
    told = str(c.ok(f'EXAMINE "{name}"').untagged)
    state = [int(re.search(rf"{word} (\d+)", told)[1]) for word in ("UIDVALIDITY", "UIDNEXT")]
    if not re.search(r"'0', 'EXISTS'", told):
        for _, i in c.ok("UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").fetched():
            date = c_date(i["INTERNALDATE"])
            state.append((int(i["UID"]), sorted(set(i["FLAGS"]) - {"\\Recent"}), date, i["RFC822.SIZE"], i["BODY[]"]))
    return state


def c_date(text):
    """Both servers may write it in a zone of their own."""
    import datetime
    return datetime.datetime.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()


def mailbox(c):
    """All that IMAP shows of it."""
    return dict(folders={name: folder(c, name) for name in names(c, "LIST")}, subscribed=names(c, "LSUB"))


def uidls(pop):
    out = {line.split()[1].decode() for line in pop.uidl()[1]}
    pop.quit()
    return out


def theirs(ports):
    with Imap(ports[0], user="bob") as c:
        pop = poplib.POP3("127.0.0.1", ports[1], timeout=30)
        pop.user("bob")
        pop.pass_("x")
        return mailbox(c), uidls(pop)


def ours(t):
    with Imap(t.imaps, t.context()) as c:
        return mailbox(c), uidls(t.pop3_client())


def same(got, want, uidnext=True):
    assert got["subscribed"] == want["subscribed"], (got["subscribed"], want["subscribed"])
    assert set(got["folders"]) == set(want["folders"]), (set(got["folders"]), set(want["folders"]))
    for name, state in want["folders"].items():
        have = got["folders"][name]
        assert have[0] == state[0] and have[2:] == state[2:], (name, have, state)
        assert have[1] == state[1] if uidnext else have[1] >= state[1], (name, have[1], state[1])


def fill(port):
    with Imap(port, user="bob") as c:
        for name in SUB, "Work", "Work.2026", '"A &- B"', '"M&APw-ll"':
            c.ok(f"CREATE {name}")
        for name in SUB, "INBOX", "Work.2026":
            c.ok(f"SUBSCRIBE {name}")
        for i in range(12):
            c.append("INBOX", letter(f"m{i}", i * 50), f"\\Seen kw{i % 3} $Forwarded" if i % 2 else "", f"{i + 1:02}-Feb-2020 10:00:00 +0900" if i % 4 else "")
        c.append(SUB, letter("in sub"), "\\Flagged \\Draft")
        c.append("Work", letter("in work"))
        c.append('"M&APw-ll"', letter("rubbish"), "Junk", "01-Jan-1999 00:00:00 +0000")
        c.select("INBOX")
        c.ok("STORE 3,12 +FLAGS (\\Deleted)")  # the last one too: UIDNEXT is higher than what is there tells
        c.ok("EXPUNGE")
        c.ok("STORE 1 +FLAGS (\\Answered NonJunk)")
        c.ok("STORE 2 -FLAGS (kw1)")
        c.ok("LOGOUT")


def admin(t, *args, status=0):
    r = t.ctl("tayori", "mailbox", *args, check=False)
    assert r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
    return r.stdout + r.stderr


def test_dovecot_and_back():
    with Instance() as t:
        with dovecot(t) as ports:
            fill(ports[0])
            before, ids = theirs(ports)
        assert len(before["folders"]) == 6 and len(ids) == 10, (before, ids)
        # as long as it is not imported nobody comes in, and mail waits
        t.send("a@remote.test", ["bob@example.test"], letter("waits"))
        t.wait_log("imported first")
        with Imap(t.imaps, t.context()) as c:
            c.no("SELECT INBOX")
        told = admin(t, "import", "bob@example.test")
        assert "10 messages keep their UIDs" in told and "日本語.Sub: imported from Dovecot" in told, told
        after, kept = ours(t)
        same(after, before)
        assert kept == ids, (kept, ids)
        assert os.path.isdir(f"{t.mail()}/.日本語.Sub") and "no mistakes" in admin(t, "check", "bob@example.test")
        assert "imported" not in admin(t, "import", "bob@example.test")  # nothing is left
        # life goes on
        t.ctl("postqueue", "-f")
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            until(lambda: c.exists() == 11)
            c.ok("UID STORE 1 -FLAGS (\\Answered)")
            c.ok("UID STORE 5 +FLAGS (\\Flagged kw1 brandnew)")
            c.ok("UID STORE 6 +FLAGS (\\Deleted)")
            c.ok("EXPUNGE")
            c.ok(f"UID MOVE 7 {SUB}")
            c.ok('CREATE "New.&APw-"')
            c.append('"New.&APw-"', letter("ours"), "\\Seen mine", "05-May-2005 05:05:05 +0000")
            c.ok('SUBSCRIBE "New.&APw-"')
            c.ok("UNSUBSCRIBE Work.2026")
            c.ok("RENAME Work Job")
        now, ids = ours(t)
        told = admin(t, "import", "bob@example.test", "--undo")
        assert "given back to Dovecot" in told, told
        left = [f for _, _, files in os.walk(t.mail()) for f in files if "tayori" in f or ",T=" in f]
        assert left == [], left
        assert os.path.isdir(f"{t.mail()}/.&ZeVnLIqe-.Sub") and os.path.isdir(f"{t.mail()}/.New.&APw-")
        with Imap(t.imaps, t.context()) as c:
            c.no("SELECT INBOX")
        with dovecot(t) as ports:
            back, theirs_now = theirs(ports)
            same(back, now, uidnext=False)
            assert theirs_now == ids, (theirs_now, ids)
            with Imap(ports[0], user="bob") as c:  # it is at home: new mail gets a UID that was never seen
                uid = c.append("INBOX", letter("new at theirs"))
                assert uid >= now["folders"]["INBOX"][1], uid
                c.select("INBOX")
                c.ok("STORE 1:* +FLAGS (later)")
                c.ok("LOGOUT")
            before, ids = theirs(ports)
        admin(t, "import", "bob@example.test")
        after, kept = ours(t)
        same(after, before)
        assert kept == ids


def test_utf8_on_disk():
    with Instance() as t:
        with dovecot(t, ":UTF-8") as ports:
            fill(ports[0])
            before, ids = theirs(ports)
        assert os.path.isdir(f"{t.mail()}/.日本語.Sub")
        admin(t, "import", "bob@example.test")
        after, kept = ours(t)
        same(after, before)
        admin(t, "import", "bob@example.test", "--undo")
        assert os.path.isdir(f"{t.mail()}/.日本語.Sub")
        with dovecot(t, ":UTF-8") as ports:
            back, theirs_now = theirs(ports)
            same(back, before, uidnext=False)
            assert ids == theirs_now == kept


def test_refused():
    with Instance() as t:
        t.send("a@remote.test", ["bob@example.test"], letter("x"))
        t.fetch(wait=1, delete=False)
        assert "no other server" in admin(t, "import", "bob@example.test", status=1)
        assert "nothing in this mailbox was imported" in admin(t, "import", "bob@example.test", "--undo", status=1)
        admin(t, "import", "bob@example.test", "--bogus", status=64)
        admin(t, "import", "nobody@example.test", status=67)
        with dovecot(t) as ports, Imap(ports[0], user="bob") as c:  # beside us, in a folder of its own
            c.ok("CREATE Theirs")
            c.append("Theirs", letter("y"))
            c.ok("LOGOUT")
        with open(f"{t.mail()}/.Theirs/dovecot-uidlist", "a") as f:
            f.write("1 :again\n")
        assert "Theirs: left as it is: dovecot-uidlist is damaged at octet" in admin(t, "import", "bob@example.test", status=1)
        with Imap(t.imaps, t.context()) as c:
            c.no("SELECT Theirs")
            c.select("INBOX")
            assert c.exists() == 1




def courier_program(name):
    """Of an installed Courier, or of one that was unpacked into the folder TAYORI_COURIER."""
    at = os.environ.get("TAYORI_COURIER", "")
    for path in f"{at}/usr/bin/{name}", f"{at}/usr/lib/courier/courier/{name}", f"{at}/usr/lib/courier/{name}":
        if os.path.exists(path):
            return path
    raise Skip(f"Courier's {name} is not installed")


def courier(t, program, *lines):
    """One of its servers behind a login, which tells by the environment who the user is. Its answers, as text."""
    at = os.environ.get("TAYORI_COURIER", "")
    owner = os.stat(f"{t.dir}/mail")
    r = subprocess.run([courier_program(program), t.mail()], input="".join(line + "\r\n" for line in lines), capture_output=True, text=True, timeout=120,
                       user=owner.st_uid, group=owner.st_gid, extra_groups=[],
                       env=dict(AUTHENTICATED="bob", MAILDIR=t.mail(), IMAP_CAPABILITY="IMAP4rev1", IMAP_KEYWORDS="1", HOSTNAME="old.test",
                                LD_LIBRARY_PATH=":".join(f"{at}/usr/lib/{p}" for p in ("", "x86_64-linux-gnu", "courier-authlib", "x86_64-linux-gnu/courier-authlib"))))
    return r.stdout


def courier_shows(t):
    """By folder: UIDVALIDITY, and UID, flags and date of each message; and the UIDLs."""
    out = {}
    folders = re.findall(r'\* LIST \(([^)]*)\) "." "([^"]+)"', courier(t, "imapd", 'a LIST "" *', "b LOGOUT"))
    for flags, name in folders:
        if "Noselect" in flags:
            continue
        text = courier(t, "imapd", f'a SELECT "{name}"', "b UID FETCH 1:* (FLAGS INTERNALDATE)", "c LOGOUT")
        rows = re.findall(r'FETCH \(UID (\d+) FLAGS \(([^)]*)\) INTERNALDATE "([^"]+)"', text)
        mine = re.sub(r"^INBOX\.", "", name)
        out[mine] = [int(re.search(r"UIDVALIDITY (\d+)", text)[1])] + [(int(uid), sorted(set(f.split()) - {"\\Recent"}), c_date(date.encode())) for uid, f, date in rows]
    return out, set(re.findall(r"^\d+ (\S+)\r?$", courier(t, "courierpop3d", "UIDL", "QUIT"), re.M))


def test_courier_and_back():
    courier_program("imapd")
    with Instance() as t:
        owner = os.stat(f"{t.dir}/mail")
        for sub in "", "/tmp", "/new", "/cur":
            os.makedirs(t.mail() + sub, exist_ok=True)
        for i in range(6):
            path = f"{t.mail()}/new/{1600000000 + i}.M1P{i}.old"
            with open(path, "w") as f:
                f.write(letter(f"m{i}").decode().replace("\r\n", "\n"))
            os.utime(path, (1500000000 + i, 1500000000 + i))
        for top, _, files in os.walk(os.path.dirname(t.mail())):
            for path in [top] + [f"{top}/{f}" for f in files]:
                os.chown(path, owner.st_uid, owner.st_gid)
        courier(t, "imapd", "a SELECT INBOX", "b STORE 1 +FLAGS (\\Seen $Forwarded)", "c STORE 2 +FLAGS (hello)", "d CREATE INBOX.&ZeVnLIqe-",
                "e SUBSCRIBE INBOX.&ZeVnLIqe-", "f COPY 3:4 INBOX.&ZeVnLIqe-", "g STORE 5 +FLAGS (\\Deleted)", "h EXPUNGE", "i STORE 2 +FLAGS (more)", "j LOGOUT")
        before, ids = courier_shows(t)
        assert len(before) == 2 and len(before["INBOX"]) == 6 and len(ids) == 5, (before, ids)
        told = admin(t, "import", "bob@example.test")
        assert "imported from Courier: 5 messages keep" in told, told
        after, kept = ours(t)
        assert kept == ids, (kept, ids)
        shown = {name: state[:1] + [m[:3] for m in state[2:]] for name, state in after["folders"].items()}
        assert shown == before, (shown, before)
        assert after["subscribed"] == ["&ZeVnLIqe-"], after["subscribed"]
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            c.ok("UID STORE 2 -FLAGS (more)")
            c.ok("UID STORE 3 +FLAGS (\\Flagged fresh)")
            c.append("INBOX", letter("since"), "\\Seen mine", "05-May-2005 05:05:05 +0000")
        now = {name: state[:1] + [m[:3] for m in state[2:]] for name, state in ours(t)[0]["folders"].items()}
        admin(t, "import", "bob@example.test", "--undo")
        back, theirs_now = courier_shows(t)
        assert back == now, (back, now)
        assert ids <= theirs_now and len(theirs_now) == 6, theirs_now


if __name__ == "__main__":
    suite.main()
