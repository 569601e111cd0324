#!/usr/bin/env python3
"""main.cf of Postfix, unchanged: Debian's own, and one with virtual domains. All that is not known here is told once, with its line; mail is
taken and delivered."""
import glob
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from hosts import inside, ip
from suite import BUILD, ROOT, TOP, need, run, until

DEBIAN = "/usr/share/postfix/main.cf.debian"
ACCOUNT = "tyr-petra"


class Host:
    """A configuration folder with somebody's main.cf and our master.cf, run in a network of its own: port 25."""
    def __init__(self, main):
        self.dir = tempfile.mkdtemp(prefix="tayori-postfix-")
        os.chmod(self.dir, 0o755)
        self.main = main.replace("@DIR@", self.dir)
        os.makedirs(f"{self.dir}/etc")
        os.makedirs(f"{self.dir}/log")
        with open(f"{self.dir}/etc/main.cf", "w") as f:
            f.write(self.main)
        shutil.copy(f"{TOP}/etc/master.cf", f"{self.dir}/etc/master.cf")
        self.ns = f"typf{os.getpid()}"

    def __enter__(self):
        if not ROOT:
            raise suite.Skip("needs root")
        need("ip")
        run(f"{TOP}/etc/users")
        run("chown", "tayori-log", f"{self.dir}/log")
        ip("netns", "add", self.ns)
        ip("-n", self.ns, "link", "set", "lo", "up")
        return self

    def __exit__(self, kind, *_):
        self.stop()
        run("ip", "netns", "delete", self.ns)
        if kind:
            sys.stderr.write(self.log()[-4000:])
        shutil.rmtree(self.dir)

    def check(self, status=0):
        r = run(f"{BUILD}/bin/tayori", "-c", f"{self.dir}/etc", "check")
        assert r.returncode == status, r
        return r.stdout + r.stderr

    def line(self, name):
        return next(i for i, row in enumerate(self.main.split("\n"), 1) if re.match(rf"{name}\s*=", row))

    def wants(self, told, name, text, kind="warning"):
        """Told once, with the line where it stands."""
        found = re.findall(rf"(?m)^main\.cf:(\d+): (\w+): {name}: (.*)$", told)
        assert len(found) == 1 and int(found[0][0]) == self.line(name) and found[0][1] == kind and text in found[0][2], (name, text, found, told)

    # What this test's machine needs beside the file: other places than those of the host, which another instance may have.
    def start(self):
        with open(f"{self.dir}/etc/main.cf", "a") as f:
            f.write(f"\ndaemon_directory = {BUILD}/libexec\nqueue_directory = {self.dir}/queue\ncontrol_directory = {self.dir}/run\n"
                    f"maillog_file = {self.dir}/log/tayori.log\nsmtpd_peername_lookup = no\nresolver_forward = 127.0.0.1\n")
        with inside(self.ns), open(f"{self.dir}/out", "w") as out:
            self.master = subprocess.Popen([f"{BUILD}/libexec/master", "-c", f"{self.dir}/etc"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(lambda: self.master.poll() is not None or run(f"{BUILD}/bin/tayori", "-c", f"{self.dir}/etc", "status").returncode == 0, 60, 0.1)
        assert self.master.poll() is None, open(f"{self.dir}/out").read()

    def stop(self):
        if getattr(self, "master", None):
            run(f"{BUILD}/bin/tayori", "-c", f"{self.dir}/etc", "stop")
            self.master.wait(60)

    def log(self):
        return suite.log_of(self.dir)

    def send(self, to, subject):
        with inside(self.ns), smtplib.SMTP("127.0.0.1", 25, timeout=60) as c:
            c.sendmail("a@b.test", [to], f"Subject: {subject}\r\n\r\nx\r\n".encode())


def arrives(folder, subject):
    def there():
        for name in glob.glob(f"{folder}/new/*") + glob.glob(f"{folder}/cur/*"):
            with open(name, errors="replace") as f:
                if f"Subject: {subject}\n" in f.read():
                    return True
    until(there, 60, 0.05)


def debian_main():
    """As Debian's package writes it for an internet site: its own template, and what its postinst sets."""
    if not os.path.exists(DEBIAN):
        raise suite.Skip("postfix is not installed")
    with open(DEBIAN) as f, open("/usr/share/postfix/main.cf.tls") as g:
        text = f.read() + g.read()
    return text + ("smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\n"
                   "myhostname = mail.post.test\nalias_maps = hash:@DIR@/aliases\nalias_database = hash:@DIR@/aliases\nmyorigin = @DIR@/mailname\n"
                   "mydestination = $myhostname, post.test, mail.post.test, localhost.post.test, , localhost\nrelayhost = \n"
                   "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\nmailbox_size_limit = 0\nrecipient_delimiter = +\n"
                   "inet_interfaces = all\ninet_protocols = all\n")


def test_debian():
    need("useradd", "userdel")
    with Host(debian_main()) as h:
        with open(f"{h.dir}/aliases", "w") as f:
            f.write(f"# See man 5 aliases for format\npostmaster:    root\nroot: {ACCOUNT}\n")
        with open(f"{h.dir}/mailname", "w") as f:
            f.write("post.test\n")
        told = h.check()
        assert re.search(r"0 errors, \d+ warnings", told), told
        for name in "biff", "append_dot_mydomain", "readme_directory", "smtp_tls_CApath", "smtp_tls_session_cache_database", "mailbox_size_limit":
            h.wants(told, name, "not known to Tayori")
        h.wants(told, "compatibility_level", "taken as auth_system_users = yes")
        h.wants(told, "smtpd_tls_cert_file", "taken as tls_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem")
        h.wants(told, "smtpd_tls_key_file", "taken as tls_key_file")
        h.wants(told, "alias_maps", f"read as texthash:{h.dir}/aliases")
        h.wants(told, "alias_database", f"read as texthash:{h.dir}/aliases")
        for name in "smtpd_banner", "inet_protocols", "myhostname", "recipient_delimiter", "smtpd_relay_restrictions", "mynetworks":
            assert not re.search(rf": {name}: ", told), told
        homes = tempfile.mkdtemp(prefix="tayori-homes-")
        os.chmod(homes, 0o755)
        subprocess.run(["userdel", "-f", ACCOUNT], capture_output=True)
        try:
            assert run("useradd", "-m", "-d", f"{homes}/{ACCOUNT}", ACCOUNT).returncode == 0
            h.start()
            with inside(h.ns):
                with suite.Wire(25) as w:
                    assert w.reply() == (220, "mail.post.test ESMTP Tayori (Debian/GNU)")
            h.send(f"{ACCOUNT}@post.test", "to an account")
            arrives(f"{homes}/{ACCOUNT}/Maildir", "to an account")
            h.send("postmaster@mail.post.test", "to an alias")
            arrives(f"{homes}/{ACCOUNT}/Maildir", "to an alias")
            # a name without a domain gets the one in the file
            with inside(h.ns):
                r = run(f"{BUILD}/bin/sendmail", "-C", f"{h.dir}/etc", ACCOUNT, input="Subject: by sendmail\n\nx\n")
            assert r.returncode == 0, r
            arrives(f"{homes}/{ACCOUNT}/Maildir", "by sendmail")
            assert re.search(rf"to=<{ACCOUNT}@post\.test>.*status=sent", h.log())
            with open(f"{h.dir}/out") as f:
                assert f.read().count(": biff: ") == 1
            st = os.stat(glob.glob(f"{homes}/{ACCOUNT}/Maildir/new/*")[0])
            assert st.st_uid == pwd.getpwnam(ACCOUNT).pw_uid
        finally:
            h.stop()
            subprocess.run(["userdel", "-f", ACCOUNT], capture_output=True)
            shutil.rmtree(homes)


VIRTUAL = """# a small site with virtual domains
compatibility_level = 3.6
myhostname = mail.post.test
mydestination = localhost
inet_protocols = ipv4, ipv6
smtpd_use_tls = yes
smtpd_tls_chain_files = @DIR@/tls/chain.pem
smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache
virtual_alias_domains = alias.test
virtual_alias_maps = hash:@DIR@/etc/virtual
virtual_mailbox_domains = box.test
virtual_mailbox_base = @DIR@/vhosts
virtual_mailbox_maps = proxy:hash:@DIR@/etc/vmailbox
virtual_minimum_uid = 100
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
dovecot_destination_recipient_limit = 1
smtpd_recpient_limit = 10
own_name = 3
smtpd_timeout = ${own_name}m
"""


def test_virtual_domains():
    with Host(VIRTUAL) as h:
        os.makedirs(f"{h.dir}/tls")
        r = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=mail.post.test", "-days", "9",
                "-keyout", f"{h.dir}/tls/chain.pem", "-out", f"{h.dir}/tls/cert.pem")
        assert r.returncode == 0, r
        run("sh", "-c", f"cat {h.dir}/tls/cert.pem >>{h.dir}/tls/chain.pem")
        for name, text in ("virtual", "postmaster@alias.test info@box.test\n"), ("vmailbox", "info@box.test box.test/info/\n"):
            with open(f"{h.dir}/etc/{name}", "w") as f:
                f.write(text)
        told = h.check()
        for name in "smtpd_tls_session_cache_database", "virtual_uid_maps", "virtual_gid_maps", "dovecot_destination_recipient_limit":
            h.wants(told, name, "not known to Tayori")
        h.wants(told, "smtpd_use_tls", "taken as smtpd_tls_security_level = may")
        h.wants(told, "smtpd_tls_chain_files", "taken as tls_cert_file")
        h.wants(told, "virtual_minimum_uid", "taken as first_valid_uid = 100")
        h.wants(told, "virtual_alias_maps", f"read as texthash:{h.dir}/etc/virtual")
        h.wants(told, "virtual_mailbox_maps", f"read as texthash:{h.dir}/etc/vmailbox")
        h.wants(told, "smtpd_recpient_limit", "no such parameter; did you mean smtpd_recipient_limit?")
        for name in "own_name", "smtpd_timeout", "inet_protocols":
            assert not re.search(rf": {name}: ", told), told
        h.start()
        h.send("info@box.test", "to a mailbox")
        arrives(f"{h.dir}/vhosts/box.test/info", "to a mailbox")
        h.send("postmaster@alias.test", "to an alias")
        arrives(f"{h.dir}/vhosts/box.test/info", "to an alias")
        with inside(h.ns), suite.Wire(25) as w:
            w.reply()
            assert "STARTTLS" in w.cmd("EHLO x")[1]
            w.cmd("MAIL FROM:<a@b.test>")
            assert w.cmd("RCPT TO:<nobody@box.test>")[0] == 550 and w.cmd("RCPT TO:<nobody@alias.test>")[0] == 550 and w.cmd("RCPT TO:<x@elsewhere.test>")[0] == 554


def test_values():
    base = "myhostname = mail.post.test\n"
    for main, told, status in ((base + "smtpd_enforce_tls = yes\nsmtpd_tls_security_level = may\n", "smtpd_enforce_tls: not used, since smtpd_tls_security_level is given", 0),
                               (base + "smtpd_tls_cert_file = none\n", "taken as tls_cert_file = \n", 0),
                               (base + "smtpd_tls_cert_file = relative\n", "error: tls_cert_file: 'relative' is not an absolute path", 78),
                               (base + "myorigin = /nonexistent/mailname\n", "error: myorigin: it cannot be read: No such file", 78),
                               (base + "inet_protocols = ipv5\n", "error: inet_protocols: 'ipv5' is not one of", 78),
                               (base + "transport_maps = hash:/a, btree:/b, regexp:/c\n", "read as texthash:/a, texthash:/b, regexp:/c:", 0),
                               (base + "local_recipient_maps = proxy:unix:passwd.byname $alias_maps\n", "read as unix:passwd.byname $alias_maps:", 0),
                               (base + "smtpd_banner = $myhostname hash:tag $mail_name\n", "no mistakes found", 0),
                               (base + "smtpd_banner = $myhostname $alias_database_\n", "error: smtpd_banner: $alias_database_: no such parameter", 78),
                               (base + "bif = no\n", "warning: bif: no such parameter", 0)):
        folder = tempfile.mkdtemp(prefix="tayori-postfix-")
        try:
            shutil.copy(f"{TOP}/etc/master.cf", folder)
            with open(f"{folder}/main.cf", "w") as f:
                f.write(main)
            r = run(f"{BUILD}/bin/tayori", "-c", folder, "check")
            assert r.returncode == status and told in r.stdout + r.stderr, (main, r)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    suite.main()
