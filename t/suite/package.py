#!/usr/bin/env python3
"""The Debian package in a fresh Debian 12: installed, used, upgraded with mail in the queue, removed, purged.

The system is a folder, made by debootstrap once and kept as an archive; it runs in namespaces of its own (processes,
mounts, network: loopback only), which end with this program.
"""
import contextlib
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from suite import ROOT, TOP, need, run, until

CACHE = "/var/cache/tayori-tests"
BUILD = os.path.join(TOP, "build", "package")
DOMAIN = "pack.test"


def good(r):
    assert r.returncode == 0, (r.args, r.returncode, r.stdout[-3000:], r.stderr[-3000:])
    return r.stdout


def build_package():
    good(run("cmake", "--preset", "package", cwd=TOP, timeout=300))
    good(run("cmake", "--build", BUILD, "-j2", timeout=1200))
    for old in glob.glob(f"{BUILD}/*.deb"):
        os.remove(old)
    good(run("cpack", cwd=BUILD, timeout=300))
    deb, = glob.glob(f"{BUILD}/*.deb")
    return deb


def newer(deb, folder):
    """The same package with a higher version, and with a main.cf and a logrotate file that have changed."""
    tree = f"{folder}/newer"
    good(run("dpkg-deb", "-R", deb, tree))
    for name in "etc/tayori/main.cf", "etc/logrotate.d/tayori":
        with open(f"{tree}/{name}", "a") as f:
            f.write("# of a newer version\n")
    control = f"{tree}/DEBIAN/control"
    with open(control) as f:
        text = f.read()
    with open(control, "w") as f:
        f.write(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+1", text))
    os.remove(f"{tree}/DEBIAN/md5sums")
    good(run("dpkg-deb", "--root-owner-group", "-b", tree, f"{folder}/newer.deb"))
    return f"{folder}/newer.deb"


def mirror():
    """Where this host has its packages from, and the name of its release."""
    rows = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages").stdout.split("\n")
    for uri, code, component in (row.split() for row in rows if len(row.split()) == 3):
        if component == "main" and not re.search("security|-updates|-backports", uri + code):
            return uri, code
    raise suite.Skip("this host has no Debian mirror")


def base_system(deb):
    """The archive of a fresh system that has what the package depends on."""
    depends = run("dpkg-deb", "-f", deb, "Depends").stdout.strip()
    names = sorted({re.split(r"[ (|]", d.strip())[0] for d in depends.split(",")})
    uri, code = mirror()
    tar = f"{CACHE}/{code}-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}.tar"
    if os.path.exists(tar):
        return tar
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tayori-base-") as folder:
        r = run("debootstrap", "--variant=minbase", f"--include={','.join(names)}", code, f"{folder}/root", uri, timeout=600)
        if r.returncode:
            raise suite.Skip(f"no system could be made from this host's mirror: {r.stdout[-300:]}{r.stderr[-300:]}")
        spare = ["./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/i18n"]
        good(run("tar", "-C", f"{folder}/root", *(f"--exclude={s}/*" for s in spare), "-cf", tar + f".{os.getpid()}", ".", timeout=300))
        os.rename(tar + f".{os.getpid()}", tar)
    return tar


class System:
    """A fresh system in a folder, its first process a shell that waits for the end of this program."""
    def __init__(self, tar):
        self.dir = tempfile.mkdtemp(prefix="tayori-system-")
        self.root = f"{self.dir}/root"
        self.master, self.out = None, f"{self.dir}/master.out"
        os.mkdir(self.root)
        good(run("tar", "-C", self.root, "-xf", tar, timeout=300))
        with open(f"{self.root}/etc/hostname", "w") as f:
            f.write("mail\n")
        with open(f"{self.root}/etc/hosts", "w") as f:
            f.write(f"127.0.0.1 localhost\n127.0.1.1 mail.{DOMAIN} mail\n")
        with open(f"{self.root}/etc/resolv.conf", "w") as f:
            f.write("nameserver 127.0.0.1\n")

    def __enter__(self):
        begin = (f"mount -t proc proc {self.root}/proc && mount -t tmpfs -o mode=755 run {self.root}/run && hostname mail && ip link set lo up && "
                 f"echo up && exec chroot {self.root} /bin/cat")
        self.guard = subprocess.Popen(["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", begin],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.guard.stdout.readline() != "up\n":
            self.guard.kill()
            raise suite.Skip(f"no namespaces here: {self.guard.stderr.read()[-300:]}")
        with open(f"/proc/{self.guard.pid}/task/{self.guard.pid}/children") as f:
            self.init = f.read().split()[0]
        return self

    def __exit__(self, kind, *_):
        for path in (self.out, f"{self.root}/var/log/tayori/tayori.log") if kind else ():
            with contextlib.suppress(OSError):
                with open(path, errors="replace") as f:
                    sys.stderr.write("---- the log's end ----\n" + "".join(f.readlines()[-30:]))
        # its first process ends, and with it every other one, and the mounts that only they have
        self.guard.stdin.close()
        self.guard.wait(60)
        if self.master:
            self.master.wait(60)
        shutil.rmtree(self.dir)

    def enter(self, *command):
        return ["nsenter", "-t", self.init, "-m", "-u", "-i", "-n", "-p", f"--root=/proc/{self.init}/root", "--wd=/",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *command]

    def do(self, *command, input=None, status=0):
        r = run(*self.enter(*command), input=input, timeout=300)
        assert status is None or r.returncode == status, (command, r.returncode, r.stdout[-2000:], r.stderr[-2000:])
        return r.stdout + r.stderr

    def start(self):
        with open(self.out, "a") as out:
            self.master = subprocess.Popen(self.enter("/usr/libexec/tayori/master"), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(lambda: self.master.poll() is not None or run(*self.enter("tayori", "status")).returncode == 0, 60, 0.1)
        assert self.master.poll() is None

    def submit(self, subject):
        """Over SMTP, to the port for everybody."""
        text = ("import smtplib\nwith smtplib.SMTP('127.0.0.1', 25, timeout=60) as c:\n"
                f" c.sendmail('a@b.test', ['alice@{DOMAIN}'], 'Subject: {subject}\\r\\n\\r\\nx\\r\\n')\n")
        good(run("nsenter", "-t", self.init, "-n", sys.executable, "-c", text))

    def path(self, name):
        return self.root + name

    def mailbox(self):
        texts = []
        for name in glob.glob(self.path(f"/var/mail/tayori/{DOMAIN}/alice/*/*")):
            if os.path.basename(os.path.dirname(name)) in ("new", "cur"):
                with open(name, errors="replace") as f:
                    texts.append(f.read())
        return texts

    def arrives(self, subject):
        until(lambda: any(f"Subject: {subject}\n" in m for m in self.mailbox()), 60)

    def users(self):
        with open(self.path("/etc/passwd")) as f:
            return {row.split(":")[0] for row in f if row.startswith("tayori-")}


def own_users():
    """Those that etc/users makes."""
    with open(f"{suite.TOP}/etc/users") as f:
        return {f"tayori-{name}" for name in re.search(r"for user in (.*?);", f.read())[1].split()}


def check_installed(s):
    assert "no mistakes found" in s.do("tayori", "check")
    assert s.do("postconf", "-d", "daemon_directory") == "daemon_directory = /usr/libexec/tayori\n"
    assert s.users() == own_users(), s.users()
    for name, mode, owner in ("/var/spool/tayori", 0o700, "tayori-queue"), ("/var/mail/tayori", 0o700, "tayori-mail"), ("/var/log/tayori", 0o2750, "tayori-log"):
        st = os.stat(s.path(name))
        assert (st.st_mode & 0o7777, s.do("stat", "-c", "%U", name).strip()) == (mode, owner), (name, oct(st.st_mode))
    for name in "/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/sbin/postqueue":
        assert s.do("readlink", "-f", name) == "/usr/bin/tayori\n", name
    assert os.path.exists(s.path("/usr/share/man/man1/tayori.1.gz")) and os.path.exists(s.path("/lib/systemd/system/tayori.service"))
    assert "does not run" in s.do("tayori", "status", status=75)


def configure(s):
    told = s.do("tayori", "setup", DOMAIN, "--hostname", f"mail.{DOMAIN}", "--user", "alice", "--password-stdin", "--yes", input="tidings\n")
    assert "the old one is kept as main.cf.old-" in told and "System users are missing" not in told, told
    s.do("postconf", "-e", "first_valid_uid=100", "smtpd_peername_lookup=no", "minimal_backoff_time=1s", "maximal_backoff_time=1s", "resolver_forward=127.0.0.1")


def conf(s):
    with open(s.path("/etc/tayori/main.cf")) as f:
        return f.read()


def try_upgrade(s, deb):
    """A letter waits, the suite runs: it is stopped, nothing is lost, and what the admin has written stays."""
    s.do("postconf", "-e", "defer_transports=virtual")
    s.do("tayori", "reload")
    s.submit("waits")
    until(lambda: "alice@" in s.do("mailq"), 60)
    before = conf(s)
    s.do("dpkg", "--force-confdef", "--force-confold", "-i", deb)
    assert s.master.wait(60) == 0
    assert conf(s) == before and DOMAIN in before
    assert os.path.exists(s.path("/etc/tayori/main.cf.dpkg-dist"))
    with open(s.path("/etc/logrotate.d/tayori")) as f:
        assert "newer version" in f.read()  # nobody has changed it here
    assert f"alice@{DOMAIN}" in s.do("mailq")
    s.do("postconf", "-e", "defer_transports=")
    s.start()
    s.arrives("waits")
    assert "Mail queue is empty" in until(lambda: "empty" in s.do("mailq") and s.do("mailq"), 60)


def try_removal(s, deb):
    s.do("sh", "-c", f"printf 'Subject: held\\n\\nx\\n' | sendmail -f alice@{DOMAIN} alice@{DOMAIN}")
    s.arrives("held")
    s.do("postconf", "-e", "defer_transports=virtual")
    s.do("tayori", "reload")
    s.submit("stays")
    until(lambda: "alice@" in s.do("mailq"), 60)
    mail = sorted(s.mailbox())
    s.do("dpkg", "-r", "tayori")
    assert s.master.wait(60) == 0
    assert sorted(s.mailbox()) == mail and DOMAIN in conf(s) and s.users() == own_users()
    assert not glob.glob(s.path("/usr/libexec/tayori")) and not os.path.lexists(s.path("/usr/sbin/sendmail"))
    told = s.do("dpkg", "-P", "tayori")
    assert "messages wait in /var/spool/tayori" in told and "mailboxes in /var/mail/tayori" in told, told
    assert s.users() == {"tayori-queue", "tayori-mail"}
    # installed again, it finds what was left
    s.do("dpkg", "-i", deb)
    configure(s)
    s.start()
    s.arrives("stays")
    s.do("dpkg", "-P", "tayori")
    assert s.master.wait(60) == 0
    assert s.users() == {"tayori-mail"} and len(s.mailbox()) == len(mail) + 1
    left = s.do("find", "/etc", "/usr", "/lib", "/var", "/run", "-name", "*tayori*", "-not", "-path", "/var/mail/tayori/*").split()
    assert left == ["/var/mail/tayori"], left


def test_package():
    need("debootstrap", "dpkg-deb", "dpkg-shlibdeps", "cpack", "unshare", "nsenter")
    if not ROOT:
        raise suite.Skip("needs root")
    deb = build_package()
    fields = run("dpkg-deb", "-f", deb).stdout
    for field in "Provides", "Conflicts", "Replaces":
        assert re.search(rf"(?m)^{field}: .*mail-transport-agent", fields), fields
    with System(base_system(deb)) as s:
        shutil.copy(deb, s.path("/tayori.deb"))
        shutil.copy(newer(deb, s.dir), s.path("/newer.deb"))
        told = s.do("dpkg", "-i", "/tayori.deb")
        assert "does not run yet" in told and "warning" not in told, told
        check_installed(s)
        configure(s)
        s.start()
        s.do("sh", "-c", f"printf 'Subject: local\\n\\nx\\n' | sendmail -f alice@{DOMAIN} alice@{DOMAIN}")
        s.submit("remote")
        s.arrives("local")
        s.arrives("remote")
        try_upgrade(s, "/newer.deb")
        try_removal(s, "/newer.deb")


if __name__ == "__main__":
    suite.main()
