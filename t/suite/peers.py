"""Other mail servers, as Debian has them: each with an /etc and a /var of its own, mounted where only its processes see them. When its
context ends all of them end, and the mounts with them.

    with Net() as net:
        far = net.stack.enter_context(Postfix(net, "post"))     # takes mail for one@ and two@post.test, has an MX in the DNS
        far.inject("one@post.test", ["x@a.test"], letter)       # what it relays
        far.inbox("two", wait=1)                                # what it has taken
"""
import contextlib
import glob
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile

from hosts import inside
from suite import Skip, need, run, until

CACHE = "/var/cache/tayori-tests"
ETC = "nsswitch.conf", "services", "protocols", "ld.so.cache", "localtime", "ssl/openssl.cnf", "alternatives", "postfix"
USERS = {"exim": 64321, "Debian-exim": 64321, "opensmtpd": 64322, "opensmtpq": 64323, "vmail": 64324}


def unpacked(program, *packages):
    """A program of packages that exclude Postfix's: unpacked and not installed."""
    name = packages[0].split("-")[0]
    path = f"{CACHE}/{name}/usr/sbin/{program}"
    if not os.path.exists(path):
        need("apt-get", "dpkg")
        os.makedirs(CACHE, exist_ok=True)
        r = run("apt-get", "download", "-qq", *packages, cwd=CACHE, timeout=120)
        for package in packages:
            for deb in glob.glob(f"{CACHE}/{package}_*.deb"):
                run("dpkg", "-x", deb, f"{CACHE}/{name}")
        if not os.path.exists(path):
            raise Skip(f"{packages[0]} cannot be had: " + r.stderr.strip()[:200])
    missing = re.findall(r"(\S+) => not found", run("ldd", path).stdout)
    if missing:
        raise Skip(f"libraries of {program} are missing: " + " ".join(missing))
    return path


def exim_binary():
    return unpacked("exim4", "exim4-daemon-light", "exim4-base")


def with_users(d):
    """Tables of users and groups with those of these servers in them, in the folder d."""
    for name, row in ("passwd", "{0}:x:{1}:{1}::/var/vmail:/bin/sh\n"), ("group", "{0}:x:{1}:\n"):
        with open(f"/etc/{name}") as f:
            text = f.read()
        with open(f"{d}/{name}", "w") as f:
            f.write(text + "".join(row.format(*user) for user in USERS.items()))


def bound(mounts, *command):
    """The command line with other things at the paths that the dictionary names; only that command sees them."""
    return ["sh", "-c", "".join(f"mount --bind {what} {at} && " for at, what in mounts.items()) + '"$@"; exit $?', "sh", *command]


class Peer:
    """What the servers have in common. One that is told to relay for domains takes mail for them from everybody.

    In their logs: taken, a message of alice's for two; gone, one of its own that x or y has; tls, how that went."""
    mounts, command, tls_server = {}, (), True

    def have(self):
        """Raises Skip when it is not to be had."""
        raise NotImplementedError

    def __init__(self, net, name, relay=(), more=""):
        self.net, self.name, self.domain = net, name, f"{name}.test"
        self.relay, self.more, self.server = relay, more, None
        self.have()
        self.ns, self.address = net.namespace(name)

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix=f"tayori-{self.name}-")
        os.chmod(self.dir, 0o755)
        try:
            self.furnish()
            self.net.announce(self)
            self.start()
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            sys.stderr.write(f"---- the end of the log of {self.name} ----\n" + self.log()[-6000:])
        shutil.rmtree(self.dir, ignore_errors=True)

    def furnish(self):
        d = self.dir
        os.makedirs(f"{d}/etc/tls")
        os.mkdir(f"{d}/etc/ssl")
        for path in filter(os.path.exists, map("/etc/".__add__, ETC)):
            if os.path.isdir(path):
                shutil.copytree(path, d + path, symlinks=True)
            else:
                shutil.copy(path, d + path)
        with_users(f"{d}/etc")
        for path in "mail", "run", "log", "tmp", "lib", "spool", "vmail":
            os.makedirs(f"{d}/var/{path}")
        os.chown(f"{d}/var/vmail", USERS["vmail"], USERS["vmail"])
        self.write("etc/resolv.conf", f"nameserver {self.net.dns}\n")
        self.write("etc/mailname", f"mx.{self.domain}\n")
        self.write("etc/hosts", f"127.0.0.1 localhost\n{self.address} mx.{self.domain}\n")
        r = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN=mx.{self.domain}", "-addext", f"subjectAltName=DNS:mx.{self.domain}", "-keyout", f"{d}/etc/tls/key", "-out", f"{d}/etc/tls/cert")
        assert r.returncode == 0, r.stderr

    def write(self, path, text):
        """A file of its own, in place of what was copied."""
        path = f"{self.dir}/{path}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def folder(self, path, owner=None, mode=0o755):
        path = f"{self.dir}/var/{path}"
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if owner:
            os.chown(path, USERS[owner], -1)

    def start(self):
        """A namespace of processes, the first of which is a shell: when this script ends, or unshare is killed, that is killed, and with it
        all of them. A server in its place would not be: who changes its user is no longer told of its parent's death."""
        command = bound({**self.mounts, "/etc": f"{self.dir}/etc", "/var": f"{self.dir}/var"}, *self.command)
        alone = "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"
        with inside(self.ns), open(f"{self.dir}/out", "ab") as out:
            self.server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *alone, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(self.listens)

    def stop(self):
        """Kills the first process; unshare ends by itself when none of the others is left."""
        if not self.server or self.server.poll() is not None:
            return
        with open(f"/proc/{self.server.pid}/task/{self.server.pid}/children") as f:
            first = f.read().split()
        os.kill(int(first[0]) if first else self.server.pid, signal.SIGKILL)
        self.server.wait(60)

    def listens(self):
        assert self.server.poll() is None, "it ended: " + self.log()
        try:
            self.client().close()
        except OSError:
            return False
        return True

    def client(self):
        with inside(self.ns):
            return smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60)

    def inject(self, sender, recipients, message):
        with self.client() as c:
            c.ehlo()
            c.sendmail(sender, recipients, message, ["BODY=8BITMIME"])

    def inbox(self, user, wait=0):
        """The user's messages with CRLF, taken out of the folder; waits until there are so many."""
        folder = f"{self.dir}/var/vmail/{user}/new/*"
        paths = until(lambda: len(glob.glob(folder)) >= wait and sorted(glob.glob(folder)))
        messages = []
        for path in paths:
            with open(path, "rb") as f:
                messages.append(f.read().replace(b"\n", b"\r\n"))
            os.unlink(path)
        return messages

    def log(self):
        text = ""
        for path in [f"{self.dir}/out", *sorted(glob.glob(f"{self.dir}/var/log/*"))]:
            with contextlib.suppress(OSError), open(path, errors="replace") as f:
                text += f.read()
        return text

    def wait_log(self, pattern):
        return until(lambda: re.search(pattern, self.log()))


# ---- Postfix ----

POSTFIX_SERVICES = """
{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

POSTFIX = """compatibility_level = 3.6
myhostname = mx.{domain}
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = {relay}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = /var/vmail
virtual_mailbox_maps = inline:{{ {{one@{domain}=one/}} {{two@{domain}=two/}} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/tls/cert
smtpd_tls_key_file = /etc/tls/key
smtpd_tls_received_header = yes
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
maillog_file = /var/log/postfix
alias_maps =
alias_database =
{more}
"""


class Postfix(Peer):
    taken, gone, tls = r"from=<alice@example.test>, size=\d+, nrcpt=2 ", r"to=<[xy]@a.test>, .*status=sent \(250 2.0.0", r"TLS connection established to mx.a.test"
    command = "/usr/sbin/postfix", "start-fg"

    def have(self):
        need("postfix")

    def furnish(self):
        super().furnish()
        self.write("etc/postfix/main.cf", POSTFIX.format(domain=self.domain, relay=" ".join(self.relay), uid=USERS["vmail"], more=self.more))
        self.write("etc/postfix/master.cf", POSTFIX_SERVICES.format(smtp="smtp"))
        self.folder("spool/postfix")
        self.folder("lib/postfix")
        shutil.chown(f"{self.dir}/var/lib/postfix", "postfix")


# ---- Exim ----

EXIM = """exim_user = exim
exim_group = exim
exim_path = /mnt/usr/sbin/exim4
primary_hostname = mx.{domain}
host_lookup = *
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim-%s
pid_file_path = /var/run/exim
keep_environment =
never_users =
tls_advertise_hosts = *
tls_certificate = /etc/tls/cert
tls_privatekey = /etc/tls/key
acl_smtp_rcpt = rcpt
domainlist here = {domain}
domainlist relayed = {relay}
begin acl
rcpt:
  accept hosts = 127.0.0.1
  require message = relay not permitted
    domains = +here : +relayed
  require verify = recipient
  accept
begin routers
here:
  driver = accept
  domains = +here
  local_parts = one : two
  transport = box
out:
  driver = dnslookup
  domains = ! +here
  transport = out
begin transports
box:
  driver = appendfile
  directory = /var/vmail/$local_part_data
  maildir_format
  return_path_add
  user = vmail
out:
  driver = smtp
  hosts_require_tls = *
begin retry
* * F,1h,2s
"""


class Exim(Peer):
    taken, gone, tls = r"<= alice@example.test H=mx.a.test .* X=TLS1.3\S+ ", r"[=-]> [xy]@a.test .*C=\"250 2.0.0", r"=> x@a.test .*H=mx.a.test \S+ X=TLS1.3"
    command = "/mnt/usr/sbin/exim4", "-bdf", "-q2s"

    def have(self):
        exim_binary()
        self.mounts = {"/mnt": f"{CACHE}/exim4"}

    def furnish(self):
        super().furnish()
        self.write("etc/exim4/exim4.conf", EXIM.format(domain=self.domain, relay=" : ".join(self.relay)))
        os.chown(f"{self.dir}/etc/tls/key", USERS["exim"], -1)
        self.folder("spool/exim4", "exim")
        self.folder("log", "exim")


# ---- OpenSMTPD ----

OPENSMTPD = """pki "mx.{domain}" cert "/etc/tls/cert"
pki "mx.{domain}" key "/etc/tls/key"
table users {{ "one@{domain}" = "vmail", "two@{domain}" = "vmail" }}
table here {{ "one@{domain}", "two@{domain}" }}
listen on lo inet4 hostname "mx.{domain}" tls pki "mx.{domain}"
listen on eth0 inet4 hostname "mx.{domain}" tls pki "mx.{domain}"
action "in" maildir "/var/vmail/%{{rcpt.user}}" virtual <users>
action "out" relay helo "mx.{domain}" tls no-verify
match from any for rcpt-to <here> action "in"
match from local for any action "out"
"""


class OpenSMTPD(Peer):
    """Debian 12's does not get through a handshake as a server: it keeps the key in a process of its own, which OpenSSL 3 no longer asks."""
    tls_server = False
    taken, gone, tls = r"smtp message .* nrcpt=2 ", r'to=<[xy]@a.test> .*result="Ok" stat="250 2.0.0', r"mta tls ciphers=TLSv1.3"
    command = "/mnt/usr/sbin/smtpd", "-d"

    def have(self):
        unpacked("smtpd", "opensmtpd")
        self.mounts = {"/mnt": f"{CACHE}/opensmtpd", "/usr/libexec": f"{CACHE}/opensmtpd/usr/libexec"}

    def furnish(self):
        super().furnish()
        self.write("etc/smtpd.conf", OPENSMTPD.format(domain=self.domain))
        self.folder("spool/smtpd", mode=0o711)
        self.folder("lib/opensmtpd/empty")
