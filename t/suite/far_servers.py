#!/usr/bin/env python3
"""Postfix, Exim and OpenSMTPD on hosts of their own: mail to them and from them by MX, over TLS, as it was written; who is unknown; and one
letter through all of them."""
import re

import suite
from hosts import Net
from peers import Exim, OpenSMTPD, Postfix
from suite import until

HEAD = "From: %s\r\nTo: %s\r\nDate: Mon, 1 Jan 2024 10:00:00 +0900\r\nMessage-ID: <%s@far>\r\nSubject: %s\r\n"


def letter(sender, to, subject, body):
    return ((HEAD % (sender, to, subject, subject)) + body).encode()


def letters(sender, to):
    """Plain, 8-bit, and a large one."""
    text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    bodies = {"plain": "\r\n.\r\n..\r\n.x\r\n\r\nFrom here\r\n \r\n", "eight": text + "便り ü\r\n" * 10, "large": "\r\n" + ("x" * 70 + "\r\n") * 14564}
    assert len(bodies["large"]) > 1 << 20
    return [letter(sender, to, subject, body) for subject, body in bodies.items()]


def trace(message):
    """What came before the first header that the sender wrote, and the message from there on."""
    at = message.index(b"From: ") if message.startswith(b"From: ") else message.index(b"\r\nFrom: ") + 2
    return message[:at].decode("latin-1"), message[at:]


def received(message):
    """The Received fields, in one line each, the last first."""
    return re.findall(r"(?m)^Received: (.*)$", re.sub(r"\r\n[ \t]+", " ", trace(message)[0]).replace("\r", ""))


def check_same(got, want):
    assert sorted(trace(m)[1] for m in got) == sorted(want), [m[:1500] for m in got]


def times(host, pattern, n):
    """Waits until its log says it so often."""
    until(lambda: len(re.findall(pattern, host.log())) == n)


def there(a, far):
    """To both users over there, in one transaction each, by TLS with their name."""
    one, two = f"one@{far.domain}", f"two@{far.domain}"
    want = letters("alice@example.test", one)
    for message in want:
        a.submit_message([one, two], message)
    for user in "one", "two":
        got = far.inbox(user, len(want))
        check_same(got, want)
        for message in got:
            assert re.search(rf"from mx.a.test .*by mx.{far.domain} .*with {'ESMTPS' if far.tls_server else 'ESMTP'} ", received(message)[0], re.I), received(message)
    times(far, far.taken, len(want))  # not each for each
    a.wait_log(rf"Verified TLS connection established to mx.{far.domain}\[" if far.tls_server else
               rf"Cannot start TLS with mx.{far.domain}\[.*: going on without")
    times(a, rf"to=<(?:one|two)@{far.domain}>, relay=mx.{far.domain}\[[0-9.]+\]:25, .*status=sent \(250 ", 2 * len(want))


def unknown_there(a, far):
    nobody, one = f"nobody@{far.domain}", f"one@{far.domain}"
    a.submit([nobody, one], "who")
    assert b"Subject: who" in far.inbox("one", 1)[0]
    report = a.fetch("alice", wait=1)[0].decode()
    told = re.search(r"Final-Recipient: rfc822; (.*)\r\nAction: failed\r\nStatus: (5\.\d\.\d)\r\nRemote-MTA: dns; (.*)\r\n"
                     r"Diagnostic-Code: smtp; (550 (?:.*\r\n )*.*)\r\n", report)
    assert told and told[1] == nobody and told[3] == f"mx.{far.domain}", report
    assert "Return-Path: <>" in report and "report-type=delivery-status" in report and f"{one}\r\nAction" not in report, report
    assert "Subject: who" in report and report.count("Final-Recipient") == 1


def back(a, far):
    one = f"one@{far.domain}"
    want = letters(one, "x@a.test")
    for message in want:
        far.inject(one, ["x@a.test", "y@a.test"], message)
    got = a.fetch("bob", wait=len(want)) + a.fetch("alice", wait=len(want))
    check_same(got, want * 2)
    for message in got:
        assert re.search(rf"from mx.{far.domain} .*by mx.a.test .*with ESMTPS", received(message)[0]), received(message)
    times(a, rf"from=<{one}>, size=\d+, nrcpt=2 ", len(want))
    times(far, far.gone, 2 * len(want))
    far.wait_log(far.tls)
    a.wait_log(rf"smtpd\[\d+\]: Anonymous TLS connection established from [^ ]+\[{far.address}\]: TLSv1.3")


def unknown_here(a, far):
    one = f"one@{far.domain}"
    far.inject(one, ["nobody@a.test", "x@a.test"], letter(one, "x@a.test", "who", "\r\nx\r\n"))
    assert b"Subject: who" in a.fetch("bob", wait=1)[0]
    report = far.inbox("one", 1)[0]
    assert b"nobody@a.test" in report and re.search(rb"550[ -]5\.1\.1", report) and re.search(rb"(?i)\nFrom: .*mailer-daemon", report), report
    a.wait_log(r"reject: RCPT from [^ ]+: 550 5.1.1 <nobody@a.test>")


def both_ways(kind, name):
    with Net() as net:
        far = net.stack.enter_context(kind(net, name))
        level = "secure" if far.tls_server else "may"
        a = net.host("a", main=f"smtp_tls_CAfile = {far.dir}/etc/tls/cert\nsmtp_tls_policy_maps = inline:{{ {{{far.domain} = {level}}} }}\n",
                     virtual="y@a.test alice@example.test\n")
        there(a, far)
        unknown_there(a, far)
        back(a, far)
        unknown_here(a, far)
        a.queue_empty()


def test_postfix():
    both_ways(Postfix, "postfix")


def test_exim():
    both_ways(Exim, "exim")


def test_opensmtpd():
    both_ways(OpenSMTPD, "opensmtpd")


def test_chain():
    """a, Postfix, b, Exim, c: what is written arrives, and tells its way."""
    with Net() as net:
        exim = net.stack.enter_context(Exim(net, "exim", relay=["c.test"]))
        b = net.host("b", main=f"relay_domains = c.test\ntransport_maps = inline:{{ {{c.test = relay:[mx.exim.test]}} }}\n")
        postfix = net.stack.enter_context(Postfix(net, "postfix", relay=["c.test"], more="transport_maps = inline:{ {c.test=relay:[mx.b.test]} }"))
        a = net.host("a", main="transport_maps = inline:{ {c.test = relay:[mx.postfix.test]} }\n")
        c = net.host("c")
        for message in letters("alice@example.test", "x@c.test"):
            a.submit_message(["x@c.test"], message)
            got = c.fetch("bob", wait=1)
            check_same(got, [message])
            way = [re.match(r"from (\S+) .*?by (\S+) ", line).groups() for line in received(got[0])]
            hosts = ["client.test"] + [f"mx.{name}.test" for name in ("a", "postfix", "b", "exim", "c")]
            assert way == list(zip(hosts, hosts[1:]))[::-1], way
        for host in a, b:
            host.queue_empty()


if __name__ == "__main__":
    suite.main()
