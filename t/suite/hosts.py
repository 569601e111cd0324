"""Hosts of a test's own: network namespaces on one bridge, a name server (NSD), and a whole suite in each.

    with Net() as net:
        a, b = net.host("a"), net.host("b")     # instances; mail for x@a.test goes to bob there
        net.zone("b.test", "@ MX 10 mx.b.test.")
"""
import contextlib
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

import suite
from suite import Instance, need, run, until

NEWNET = 0x40000000
SERIAL = iter(range(1, 1000))
OCTET = os.getpid() % 250
PREFIX = f"10.99.{OCTET}."


def enter(path):
    with open(path) as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(ns):
    """This thread's sockets are made in the namespace."""
    home = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    with open(home) as back:
        enter(f"/run/netns/{ns}")
        try:
            yield
        finally:
            if ctypes.CDLL(None, use_errno=True).setns(back.fileno(), NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


def ip(*words):
    r = run("ip", *words)
    assert r.returncode == 0, (words, r.stderr)


class Host(Instance):
    """An instance in a namespace of its own, that takes mail at port 25 for its domain."""
    def __init__(self, net, name, main="", virtual="", master=""):
        self.net, self.name = net, name
        self.ns, self.address = net.namespace(name)
        domain = f"{name}.test"
        main = (f"myhostname = mx.{domain}\ninet_interfaces = all\nvirtual_alias_domains = {domain}\nresolver_forward = {net.dns}\n"
                f"resolver_trust_anchor_file =\nminimal_backoff_time = 1s\nmaximal_backoff_time = 3s\nsmtp_connect_timeout = 3s\n{main}")
        virtual = f"x@{domain} bob@example.test\npostmaster@{domain} bob@example.test\n{virtual}"
        super().__init__(main, "smtp inet n - y - 1 smtpd\n" + master, virtual)

    def quickstart(self, *more):
        with inside(self.ns):
            return super().quickstart(*more)

    def __enter__(self):
        with inside(self.ns):
            return super().__enter__()

    def smtp_client(self, *args, **kw):
        with inside(self.ns):
            return super().smtp_client(*args, **kw)

    def pop3_client(self, *args, **kw):
        with inside(self.ns):
            return super().pop3_client(*args, **kw)

    def submit(self, to, subject="s", body=b"line\r\n", sender="alice@example.test"):
        to = [to] if isinstance(to, str) else to
        self.submit_message(to, b"From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n%s" % (sender.encode(), to[0].encode(), subject.encode(), body), sender)

    def submit_message(self, to, message, sender="alice@example.test"):
        with self.smtp_client(self.submission, tls=True) as c:
            c.login("alice", "tayori")
            c.sendmail(sender, to, message, ["BODY=8BITMIME"])

    def queue_empty(self):
        return until(lambda: "Mail queue is empty" in self.ctl("mailq"), 60, 0.1)


class Net:
    def __init__(self):
        need("ip", "nsd")
        if not suite.ROOT:
            raise suite.Skip("needs root")
        self.reverse = f"{OCTET}.99.10.in-addr.arpa"
        self.names, self.zones, self.stack = [], {}, contextlib.ExitStack()
        self.dir = tempfile.mkdtemp(prefix="tayori-net-")
        os.chmod(self.dir, 0o755)
        self.tag = f"ty{os.getpid()}"
        self.bridge, self.server = self.tag + "br", None

    def __enter__(self):
        try:
            ip("netns", "add", self.bridge)
            self.names.append(self.bridge)
            ip("-n", self.bridge, "link", "add", "br0", "type", "bridge")
            ip("-n", self.bridge, "link", "set", "br0", "up")
            self.dns_ns, self.dns = self.namespace("dns")
            self.serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *how):
        self.stack.__exit__(*(how or (None, None, None)))
        self.stop_dns()
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def namespace(self, name):
        ns, n = f"{self.tag}{name}", len(self.names)
        address = PREFIX + str(n)
        ip("netns", "add", ns)
        self.names.append(ns)
        ip("link", "add", f"v{n}", "netns", self.bridge, "type", "veth", "peer", "name", "eth0", "netns", ns)
        ip("-n", self.bridge, "link", "set", f"v{n}", "master", "br0", "up")
        ip("-n", ns, "addr", "add", address + "/24", "dev", "eth0")
        ip("-n", ns, "link", "set", "eth0", "up")
        ip("-n", ns, "link", "set", "lo", "up")
        return ns, address

    def cut(self, host, off=True):
        """Takes the cable out, or plugs it in again."""
        ip("-n", host.ns, "link", "set", "eth0", "down" if off else "up")

    def host(self, name, **kw):
        host = self.stack.enter_context(Host(self, name, **kw))
        self.announce(host)
        return host

    def announce(self, host):
        """An MX and an address for mail, and a name for the address."""
        number = host.address.split(".")[-1]
        self.zones[self.reverse] = self.zones.get(self.reverse, "") + f"{number} PTR mx.{host.name}.test.\n"
        self.zone(f"{host.name}.test", f"@ MX 10 mx\nmx A {host.address}")

    # ---- names ----

    def zone(self, name, rows):
        """Replaces a zone; rows as in a zone file."""
        self.zones[name] = rows
        if self.server:
            self.serve()

    def serve(self):
        self.stop_dns()
        with open(f"{self.dir}/nsd.conf", "w") as f:
            f.write(f"server:\n  ip-address: {self.dns}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  zonesdir: {self.dir}\n  database: \"\"\n"
                    f"  pidfile: {self.dir}/nsd.pid\n  xfrdfile: {self.dir}/xfrd\n  zonelistfile: {self.dir}/list\n  logfile: {self.dir}/log\nremote-control:\n  control-enable: no\n")
            for name, rows in {"test": "", **self.zones}.items():
                with open(f"{self.dir}/{name}.zone", "w") as z:
                    z.write(f"$ORIGIN {name}.\n$TTL 1\n@ SOA ns.test. x.test. {next(SERIAL)} 1 1 1 1\n@ NS ns.test.\n{rows}\n" + (f"ns A {self.dns}\n" if name == "test" else ""))
                f.write(f"zone:\n  name: {name}\n  zonefile: {name}.zone\n")
        self.server = subprocess.Popen(["ip", "netns", "exec", self.dns_ns, "nsd", "-d", "-c", f"{self.dir}/nsd.conf"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.answers())

    def answers(self):
        return self.ask(b"\4test\0", 6)[2:3] >= b"\x80"

    def ask(self, name, kind):
        """What the name server says over UDP to a client that takes 1232 octets; nothing when it is silent."""
        with inside(self.dns_ns):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with s:
            s.settimeout(0.2)
            s.sendto(struct.pack(">6H", 1, 0x100, 1, 0, 0, 1) + name + struct.pack(">HHBHHLH", kind, 1, 0, 41, 1232, 0, 0), (self.dns, 53))
            try:
                return s.recv(4096)
            except OSError:
                return b""

    def tcp_questions(self):
        """How many connections the name server's host has taken."""
        with open(f"/proc/{self.server.pid}/net/snmp") as f:
            names, numbers = (line.split() for line in f if line.startswith("Tcp:"))
        return int(numbers[names.index("PassiveOpens")])

    def stop_dns(self):
        if self.server:
            self.server.terminate()
            self.server.wait(60)
            self.server = None
