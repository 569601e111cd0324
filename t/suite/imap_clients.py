#!/usr/bin/env python3
"""The programs with which people read mail over IMAP, against the whole suite; and other programs on the same folders."""
import imaplib
import json
import mailbox
import os
import pwd
import random
import re
import subprocess
import tempfile

import suite
from imapwire import Imap
from peers import CACHE
from suite import ROOT, Instance, Skip, need, run, until

LETTER = "From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: {0}\r\nMessage-ID: <{0}@example.test>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0900\r\n\r\nbody of {0}\r\n"


def letter(name):
    return LETTER.format(name).encode()


def fill(t, n, folder="INBOX", user="bob", first=0):
    with Imap(t.imaps, t.context(), user=user) as c:
        for i in range(first, first + n):
            c.append(folder, letter(f"m{i}"))


def subjects(t, folder="INBOX", user="bob"):
    with Imap(t.imaps, t.context(), user=user) as c:
        c.select(folder, "EXAMINE")
        rows = c.ok("FETCH 1:* (ENVELOPE)").fetched() if c.exists() else []
        return [i["ENVELOPE"][1].decode() for _, i in rows]


def curl(t, url, *more, port=None, user="bob"):
    return run("curl", "-sS", "--max-time", "30", "--cacert", f"{t.dir}/tls/ca.pem", "--user", f"{user}:tayori", f"imaps://localhost:{port or t.imaps}{url}", *more)


def test_curl():
    need("curl")
    with Instance() as t:
        with tempfile.NamedTemporaryFile() as f:
            f.write(letter("curl"))
            f.flush()
            assert curl(t, "/INBOX", "-T", f.name).returncode == 0
        r = curl(t, "/INBOX;MAILINDEX=1")
        assert r.stdout == letter("curl").decode().replace("\r\n", "\n"), r
        assert "Subject: curl" in curl(t, "/INBOX;UID=1;SECTION=HEADER").stdout
        assert "* SEARCH 1" in curl(t, "/INBOX?SUBJECT%20curl").stdout
        assert "INBOX" in curl(t, "/").stdout
        assert curl(t, "/INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)").returncode == 0
        assert "\\Flagged" in curl(t, "/INBOX", "-X", "FETCH 1 (FLAGS)").stdout
        r = run("curl", "-sS", "--cacert", f"{t.dir}/tls/ca.pem", "--ssl-reqd", "--user", "bob:tayori", f"imap://localhost:{t.imap}/INBOX;MAILINDEX=1", "--login-options", "AUTH=PLAIN")
        assert "body of curl" in r.stdout, r
        assert curl(t, "/INBOX;MAILINDEX=9").returncode and curl(t, "/Nowhere;MAILINDEX=1").returncode


def test_imaplib():
    with Instance() as t:
        c = imaplib.IMAP4_SSL("localhost", t.imaps, ssl_context=t.context(), timeout=30)
        c.login("bob", "tayori")
        c.enable("CONDSTORE")
        assert c.create("Sub.Folder")[0] == "OK" and c.subscribe("Sub.Folder")[0] == "OK"
        for i in range(3):
            assert c.append("INBOX", "(\\Flagged)" if i == 1 else None, None, letter(f"p{i}"))[0] == "OK"
        assert c.select()[1] == [b"3"]
        assert c.search(None, "FLAGGED") == ("OK", [b"2"])
        assert c.fetch("1:3", "(UID RFC822.SIZE)")[0] == "OK"
        assert c.fetch("1", "(RFC822)")[1][0][1] == letter("p0")
        assert c.store("1", "+FLAGS", "(\\Deleted custom)")[0] == "OK"
        assert c.copy("1:2", "Sub.Folder")[0] == "OK"
        assert c.expunge()[1] == [b"1"]
        assert c.uid("MOVE", "2", "Sub.Folder")[0] == "OK"
        assert c.select("Sub.Folder")[1] == [b"3"]
        assert c.status("INBOX", "(MESSAGES)")[1] == [b"INBOX (MESSAGES 1)"], c.status("INBOX", "(MESSAGES)")
        assert c.unselect()[0] == "OK" and c.rename("Sub.Folder", "Sub.Other")[0] == "OK"
        assert any(b"Sub.Other" in x for x in c.list()[1]) and c.delete("Sub.Other")[0] == "OK"
        c.logout()
        with imaplib.IMAP4("localhost", t.imap, timeout=30) as plain:
            assert "LOGINDISABLED" in plain.capabilities
            try:
                plain.login("bob", "tayori")
                raise AssertionError("a login without TLS")
            except imaplib.IMAP4.error:
                pass
            plain.starttls(t.context())
            plain.authenticate("PLAIN", lambda _: b"\0bob\0tayori")
            assert plain.select(readonly=True)[1] == [b"1"]


def mutt(t, program, home, folder, push, port):
    """Runs it without a terminal of its own on a folder, types `push`; its end."""
    rc = f"{home}/rc"
    with open(rc, "w") as f:
        f.write(f"""set imap_user="bob" imap_pass="tayori" folder="imaps://localhost:{port}/" spoolfile="imaps://localhost:{port}/{folder}"
set ssl_starttls=yes ssl_force_tls=yes certificate_file="{t.dir}/tls/ca.pem" ssl_usesystemcerts=no
set sleep_time=0 confirmappend=no confirmcreate=no delete=yes move=no header_cache="" mark_old=no wait_key=no quit=yes sort=mailbox-order
push "{push}"
""")
    return suite.run("script", "-qec", f"env HOME={home} TERM=xterm {program} -n -F {rc} -f imaps://localhost:{port}/{folder}", "/dev/null", timeout=60)


def mutt_reads_and_files(program):
    need(program, "script")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 4)
        with Imap(t.imaps, t.context()) as c:
            c.ok("CREATE Kept")
        # reads the first, flags the second, saves the third elsewhere, deletes the fourth
        mutt(t, program, home, "INBOX", f"1<enter><display-message><exit>2<enter><flag-message>3<enter><save-message>=Kept<enter>4<enter><delete-message><sync-mailbox><quit>", t.imaps)
        until(lambda: subjects(t) == ["m0", "m1"])
        assert subjects(t, "Kept") == ["m2"]
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            flags = [set(i["FLAGS"]) for _, i in c.ok("FETCH 1:* (FLAGS)").fetched()]
        assert "\\Seen" in flags[0] and "\\Flagged" in flags[1], flags


def test_mutt():
    mutt_reads_and_files("mutt")


def test_neomutt():
    mutt_reads_and_files("neomutt")


def test_mbsync_both_ways():
    """2,000 messages from a Maildir to the server; changes on both sides meet."""
    need("mbsync")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        local = mailbox.Maildir(f"{home}/mail", create=True)
        rnd = random.Random(7)
        for i in range(2000):
            m = mailbox.MaildirMessage(letter(f"s{i}").replace(b"\r\n", b"\n") + b"line\n" * rnd.randrange(40))
            m.set_subdir("cur")
            m.set_flags("S" if i % 3 else "F")
            local.add(m)
        with open(f"{home}/rc", "w") as f:
            f.write(f"""IMAPAccount t
Host localhost
Port {t.imaps}
User bob
Pass tayori
SSLType IMAPS
CertificateFile {t.dir}/tls/ca.pem

IMAPStore far
Account t

MaildirStore near
Path {home}/
Inbox {home}/mail
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Create Both
Expunge Both
SyncState {home}/state
""")
        def sync():
            r = run("mbsync", "-c", f"{home}/rc", "c", timeout=180)
            assert r.returncode == 0, r.stdout + r.stderr
        os.makedirs(f"{home}/state", exist_ok=True)
        sync()
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            assert c.exists() == 2000
            assert len(c.ok("SEARCH FLAGGED").named("SEARCH")[0]) == 667
            c.ok("STORE 1:10 +FLAGS (\\Deleted)")
            c.ok("EXPUNGE")
            c.ok("STORE 1:5 +FLAGS (\\Answered)")
            c.append("INBOX", letter("new on the server"))
        local = mailbox.Maildir(f"{home}/mail")
        for key in list(local.keys())[-20:]:
            local.discard(key)
        sync()
        local = mailbox.Maildir(f"{home}/mail")
        near = sorted(re.search(r"Subject: (.*)", str(m)).group(1) for m in local)
        assert near == sorted(subjects(t)) and "new on the server" in near and 1970 <= len(near) <= 1991, len(near)
        assert sum("R" in m.get_flags() for m in local) >= 1
        sync()
        assert near == sorted(subjects(t))


def test_offlineimap():
    need("offlineimap")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 30)
        with open(f"{home}/rc", "w") as f:
            f.write(f"""[general]
accounts = t
metadata = {home}/meta
ui = quiet
[Account t]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {t.imaps}
remoteuser = bob
remotepass = tayori
ssl = yes
sslcacertfile = {t.dir}/tls/ca.pem
""")
        def sync():
            r = run("offlineimap", "-c", f"{home}/rc", "-o", timeout=120, env=dict(os.environ, HOME=home))
            assert r.returncode == 0, r.stdout + r.stderr
        sync()
        local = mailbox.Maildir(f"{home}/mail/INBOX")
        assert len(local) == 30
        key = next(iter(local.keys()))
        local.discard(key)
        m = mailbox.MaildirMessage(letter("from here").replace(b"\r\n", b"\n"))
        local.add(m)
        sync()
        assert len(subjects(t)) == 30 and "from here" in subjects(t)


def test_fetchmail():
    need("fetchmail")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 5)
        rc = f"{home}/rc"
        with open(rc, "w") as f:
            f.write(f"""poll localhost protocol IMAP port {t.imaps} user "bob" password "tayori" ssl sslproto "tls1.2+" sslcertck sslcertfile "{t.dir}/tls/ca.pem"
  fetchall no keep mda "cat >>{home}/out; echo >>{home}/out"
""")
        os.chmod(rc, 0o600)
        r = run("fetchmail", "-f", rc, "--nosyslog", "--nodetach", "--pidfile", f"{home}/pid", "-i", f"{home}/ids", env=dict(os.environ, HOME=home))
        assert r.returncode == 0, r.stdout + r.stderr
        text = open(f"{home}/out").read()
        assert text.count("body of m") == 5 and subjects(t) == [], text


IMAPFLOW = """
const { ImapFlow } = require('imapflow');
const fs = require('fs');
(async () => {
  const [port, ca] = process.argv.slice(2);
  const c = new ImapFlow({ host: 'localhost', port: +port, secure: true, auth: { user: 'bob', pass: 'tayori' }, tls: { ca: fs.readFileSync(ca) }, logger: false });
  await c.connect();
  const out = {};
  out.caps = [...c.capabilities.keys()];
  const box = await c.mailboxOpen('INBOX');
  out.exists = box.exists;
  out.subjects = [];
  for await (const m of c.fetch('1:*', { envelope: true, bodyStructure: true, flags: true, source: true, internalDate: true, size: true }))
    out.subjects.push(m.envelope.subject);
  await c.messageFlagsAdd('1', ['\\\\Seen', 'Label']);
  out.seen = await c.search({ seen: true });
  await c.mailboxCreate('Drafts');
  await c.mailboxCreate(['Archive', '\\u4fbf\\u308a']);
  out.moved = [...(await c.messageMove('2', 'Archive.\\u4fbf\\u308a')).uidMap.entries()];
  out.list = (await c.list()).map(m => m.path + (m.specialUse || ''));
  out.status = await c.status('Archive.\\u4fbf\\u308a', { messages: true, uidNext: true, unseen: true });
  const up = await c.append('INBOX', 'Subject: by imapflow\\r\\n\\r\\nx\\r\\n', ['\\\\Flagged']);
  out.appended = up.uid;
  await c.noop();
  const exists = new Promise(r => c.once('exists', e => r(e.count)));
  c.idle();
  console.log('IDLE');
  out.pushed = await exists;
  await c.logout();
  console.log(JSON.stringify(out));
})().catch(e => { console.error(e); process.exit(1); });
"""


def imapflow_folder():
    """The npm package, installed once; Skip where the registry is not to be had."""
    need("npm", "node")
    folder = f"{CACHE}/imapflow" if ROOT else tempfile.gettempdir() + "/tayori-imapflow"
    if not os.path.isdir(f"{folder}/node_modules/imapflow"):
        os.makedirs(folder, exist_ok=True)
        r = run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "imapflow@1", timeout=180)
        if r.returncode:
            raise Skip("imapflow cannot be installed")
    return folder


def test_imapflow():
    folder = imapflow_folder()
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 3)
        with open(f"{home}/go.js", "w") as f:
            f.write(IMAPFLOW)
        p = subprocess.Popen(["node", f"{home}/go.js", str(t.imaps), f"{t.dir}/tls/ca.pem"], env=dict(os.environ, NODE_PATH=f"{folder}/node_modules"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            line = p.stdout.readline()
            assert line == "IDLE\n", line + p.stderr.read()
            t.send("a@remote.test", ["bob@example.test"], letter("pushed"))
            told, err = p.communicate(timeout=30)
        finally:
            p.kill()
        assert p.returncode == 0, err
        out = json.loads(told)
        assert {"IDLE", "MOVE", "UIDPLUS", "CONDSTORE", "ENABLE", "SPECIAL-USE", "LIST-STATUS"} <= set(out["caps"]), out
        assert out["exists"] == 3 and out["subjects"] == ["m0", "m1", "m2"] and out["seen"] == [1], out
        assert out["moved"] == [[2, 1]] and out["status"]["messages"] == 1 and out["appended"] == 4, out
        assert any("便り" in x for x in out["list"]) and "Drafts\\Drafts" in out["list"], out
        assert out["pushed"] == 4, out


def test_pop3_and_imap_at_once():
    with Instance() as t:
        fill(t, 5)
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            pop = t.pop3_client()
            assert pop.stat()[0] == 5
            c.ok("STORE 2 +FLAGS (\\Seen)")
            c.ok("STORE 3 +FLAGS (\\Deleted)")
            c.ok("EXPUNGE")
            assert b"body of m1" in b"\n".join(pop.retr(2)[1])  # under its new name
            pop.dele(1)
            pop.dele(3)  # already gone: counts as removed
            t.send("a@remote.test", ["bob@example.test"], letter("meanwhile"))
            pop.quit()
            until(lambda: "meanwhile" in subjects(t))
            c.ok("NOOP")
            rows = c.ok("FETCH 1:* (UID FLAGS)").fetched()
            assert [int(i["UID"]) for _, i in rows] == [2, 4, 5, 6], rows
            pop = t.pop3_client()
            assert [x.split()[1][8:] for x in pop.uidl()[1]] == [b"%08x" % u for u in (2, 4, 5, 6)], pop.uidl()
            pop.quit()


def test_mutt_on_the_same_folder():
    """mutt changes flags and deletes in the Maildir itself while a session has it open."""
    need("mutt", "script")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 3)
        with Imap(t.imaps, t.context()) as c:
            c.select("INBOX")
            with open(f"{home}/rc", "w") as f:
                f.write('set delete=yes move=no sleep_time=0 mark_old=no quit=yes sort=subject\npush "1<enter><flag-message>2<enter><delete-message><sync-mailbox><quit>"\n')
            run("script", "-qec", f"env HOME={home} TERM=xterm mutt -n -F {home}/rc -f {t.mail()}", "/dev/null", timeout=60)
            c.ok("NOOP")
            until(lambda: len(c.ok("UID SEARCH ALL").named("SEARCH")[0]) == 2 or c.ok("NOOP") is None, 60)
            rows = {int(i["UID"]): i["FLAGS"] for _, i in c.ok("FETCH 1:* (UID FLAGS)").fetched()}
            assert set(rows) == {1, 3} and "\\Flagged" in rows[1], rows


DOVECOT = """
log_path = {dir}/log
base_dir = {dir}/run
state_dir = {dir}/state
protocols = imap
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{mail}:UTF-8:INDEX={dir}/index:CONTROL={dir}/control
maildir_very_dirty_syncs = no
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
service anvil {{
  chroot =
}}
"""


def test_dovecot_on_the_same_folder():
    """Dovecot, with control files of its own elsewhere, reads and changes what we have open."""
    if not ROOT or not os.path.exists("/usr/sbin/dovecot"):
        raise Skip("needs root and dovecot")
    with Instance() as t, tempfile.TemporaryDirectory() as home:
        fill(t, 3)
        st = os.stat(t.mail())
        os.chmod(home, 0o755)
        for sub in "home", "index", "control":
            os.makedirs(f"{home}/{sub}")
            os.chown(f"{home}/{sub}", st.st_uid, st.st_gid)
        port = suite.free_base() + 7
        with open(f"{home}/conf", "w") as f:
            f.write(DOVECOT.format(dir=home, mail=t.mail(), uid=st.st_uid, gid=st.st_gid, port=port, user=pwd.getpwuid(st.st_uid).pw_name))
        server = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{home}/conf"], stdin=subprocess.DEVNULL)
        try:
            with until(lambda: connect(port)) as theirs, Imap(t.imaps, t.context()) as ours:
                ours.select("INBOX")
                theirs.select("INBOX")
                assert theirs.exists() == 3
                theirs.ok("STORE 2 +FLAGS (\\Flagged \\Seen)")
                theirs.append("INBOX", letter("by the other server"))
                theirs.ok("STORE 1 +FLAGS (\\Deleted)")
                theirs.ok("EXPUNGE")

                def agree():
                    ours.ok("NOOP")
                    return sorted(subjects(t)) == ["by the other server", "m1", "m2"]
                until(agree, 60)
                rows = {int(i["UID"]): i["FLAGS"] for _, i in ours.ok("FETCH 1:* (UID FLAGS)").fetched()}
                assert sorted(rows) == [2, 3, 4] and {"\\Flagged", "\\Seen"} <= set(rows[2]), rows
                ours.ok("UID STORE 3 +FLAGS (\\Answered)")
                ours.append("INBOX", letter("by us"))
                until(lambda: theirs.ok("NOOP") and len(theirs.ok("SEARCH ANSWERED").named("SEARCH")[0]) == 1 and theirs.exists() == 4, 60)
        finally:
            server.terminate()
            server.wait(20)


def connect(port):
    try:
        return Imap(port, user="bob")
    except OSError:
        return None


if __name__ == "__main__":
    suite.main()
