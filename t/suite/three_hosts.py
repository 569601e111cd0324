#!/usr/bin/env python3
"""Three hosts and more, each a whole suite in a network of its own, with a name server: mail by MX, what happens when hosts or names are
gone, relays, loops, a cut cable."""
import re

import suite
from hosts import Net
from suite import until


def subjects(host):
    got = host.fetch("bob", wait=1)
    return sorted(re.search(rb"Subject: (.*)\r\n", m)[1].decode() for m in got)


def test_by_mx():
    with Net() as net:
        a, b = net.host("a"), net.host("b")
        a.submit("x@b.test", "there")
        assert subjects(b) == ["there"]
        b.submit("x@a.test", "back")
        assert subjects(a) == ["back"]
        a.wait_log(r"relay=mx.b.test\[10\.99\.\d+\.\d+\]:25, .*status=sent")
        a.queue_empty()
        # no MX: the domain's own address; a name that leads to another one
        net.zone("bare.test", f"@ A {b.address}\nwww CNAME bare.test.")
        net.zone("b.test", f"@ MX 10 alias\nalias CNAME mx\nmx A {b.address}")
        a.submit("x@b.test", "by an alias")
        assert subjects(b) == ["by an alias"]


def test_down_and_up():
    with Net() as net:
        a, b = net.host("a", main="smtp_connect_timeout = 3s"), net.host("b")
        b.stop()
        a.submit("x@b.test", "late")
        a.wait_log(r"status=deferred \(connect to mx.b.test\[[0-9.]+\]:25: Connection refused")
        assert "Connection refused" in a.ctl("mailq")
        b.quickstart()
        assert subjects(b) == ["late"]
        # the cable
        net.cut(b)
        a.submit("x@b.test", "cable")
        a.wait_log(r"status=deferred \(connect to mx.b.test\[[0-9.]+\]:25: (No route|Connection timed|Host is)")
        net.cut(b, False)
        assert subjects(b) == ["cable"]
        a.queue_empty()


def test_equal_mx_one_dead():
    """Whichever is tried first: all arrive, by the one that lives."""
    with Net() as net:
        a, b = net.host("a"), net.host("b")
        for i in range(8):
            net.zones[f"d{i}.test"] = f"@ MX 10 dead\n@ MX 10 live\ndead A {net.dns}\nlive A {b.address}"
        net.serve()
        b.ctl("postconf", "-e", "virtual_alias_domains=b.test " + " ".join(f"d{i}.test" for i in range(8)))
        with open(f"{b.dir}/etc/virtual", "a") as f:
            f.writelines(f"x@d{i}.test bob@example.test\n" for i in range(8))
        b.ctl("tayori", "reload")
        a.submit([f"x@d{i}.test" for i in range(8)], "equal")
        got = b.fetch("bob", wait=8)
        assert len(got) == 8
        a.queue_empty()


def test_names():
    """What the DNS says for sure comes back; everything else waits."""
    with Net() as net:
        a = net.host("a")
        net.zone("null.test", "@ MX 0 .")
        net.zone("bogus.test", "@ MX 10 127.0.0.1.\n")
        net.zone("noaddress.test", "@ MX 10 nothing\nnothing TXT x")
        net.zone("lame.test", "sub NS ns.sub\nns.sub A 10.99.0.254")
        a.submit(["x@nowhere.test", "x@null.test"], "sure")
        told = b"".join(m for m in a.fetch("alice", wait=1))
        until(lambda: len(re.findall("status=bounced", a.log())) == 2)
        told += b"".join(a.fetch("alice"))
        assert b"Host not found" in told and b"5.4.4" in told and b"nullMX" in told and b"5.1.10" in told, told
        a.submit(["x@bogus.test", "x@noaddress.test", "x@sub.lame.test"], "unsure")
        for domain in "bogus", "noaddress", "sub.lame":
            a.wait_log(rf"to=<x@{domain}.test>.*status=deferred", 30)
        net.stop_dns()
        a.submit("x@elsewhere.test", "nobody answers")
        a.wait_log(r"to=<x@elsewhere.test>.*status=deferred", 30)
        assert len(re.findall("status=bounced", a.log())) == 2


def test_dns_over_tcp():
    """More mail hosts than a datagram holds, and the best of them comes last."""
    with Net() as net:
        a, b = net.host("a"), net.host("b")
        hosts = "".join(f"@ MX {i + 20} {'none' * 12}{i}\n" for i in range(60))
        net.zone("b.test", f"{hosts}@ MX 10 zz\nzz A {b.address}")
        assert until(lambda: net.ask(b"\1b\4test\0", 15))[2] & 2, "not cut"
        assert net.tcp_questions() == 0
        a.submit("x@b.test", "over TCP")
        assert subjects(b) == ["over TCP"]
        a.wait_log(r"relay=zz.b.test\[.*status=sent")
        assert net.tcp_questions() > 0


def test_backup_and_loops():
    with Net() as net:
        a, b, c = net.host("a"), net.host("b"), net.host("c", main="relay_domains = b.test")
        net.zone("b.test", f"@ MX 10 mx\n@ MX 20 mx.c.test.\nmx A {b.address}")
        b.stop()
        a.submit("x@b.test", "by the backup")
        c.wait_log(r"to=<x@b.test>.*status=deferred")  # kept: a worse host, or itself, is not tried
        assert not re.search(r"to=<x@b.test>.*status=bounced", c.log())
        b.quickstart()
        assert subjects(b) == ["by the backup"]
        # the best host is the one that has the mail: it comes back
        net.zone("self.test", f"@ MX 10 mx.a.test.")
        a.submit("x@self.test", "self")
        report = a.fetch("alice", wait=1)[0]
        assert b"loops back to myself" in report and b"5.4.6" in report
        # two hosts that send to each other: hops are counted
        b.ctl("postconf", "-e", f"transport_maps=inline:{{ {{round.test=relay:[{c.address}]}} }}", "relay_domains=round.test", "hopcount_limit=8")
        c.ctl("postconf", "-e", f"transport_maps=inline:{{ {{round.test=relay:[{b.address}]}} }}", "relay_domains=b.test round.test", "hopcount_limit=8")
        for host in b, c:
            host.ctl("tayori", "reload")
        net.zone("round.test", f"@ MX 10 mx.b.test.")
        a.submit("x@round.test", "round")
        # the one that is told of it returns the letter, and here each host has an alice
        giver = until(lambda: next((h for h in (b, c) if "status=bounced" in h.log()), None))
        assert b"too many hops" in giver.fetch("alice", wait=1)[0]


def test_over_a_smarthost():
    with Net() as net:
        b, c = net.host("b"), net.host("c", master="submission inet n - y - 1 smtpd\n  -o smtpd_service=submission\n  -o smtpd_tls_security_level=encrypt\n"
                                       "  -o smtpd_sasl_auth_enable=yes\n  -o service_user=tayori-submit\n")
        a = net.host("a", main="relayhost = [mx.c.test]:587\nsmtp_sasl_auth_enable = yes\nsmtp_tls_security_level = encrypt\n"
                     "smtp_sasl_password_maps = inline:{ {[mx.c.test]:587 = alice:tayori} }")
        a.submit("x@b.test", "around")
        got = b.fetch("bob", wait=1)[0]
        assert re.search(rb"from mx.c.test", got) and b"ESMTPSA" in got, got
        a.wait_log(r"relay=mx.c.test\[[0-9.]+\]:587")


if __name__ == "__main__":
    suite.main()
