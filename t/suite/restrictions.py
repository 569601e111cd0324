#!/usr/bin/env python3
"""Restrictions and access tables, with the real daemons: tables of all kinds that change under them, and who may never relay."""
import os
import re

import hosts
import suite
from suite import BUILD, Instance, Wire, run, until

LETTER = b"From: <a@s.test>\r\nSubject: %s\r\n\r\nbody\r\n"
TABLES = """smtpd_client_restrictions = check_client_access cidr:$config_directory/clients
smtpd_helo_restrictions = check_helo_access pcre:$config_directory/names
smtpd_sender_restrictions = check_sender_access texthash:$config_directory/senders
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access pcre:$config_directory/rcpts
"""
ROWS = dict(clients="192.0.2.0/24 REJECT\n", names="/^evil\\./ REJECT not you\n", senders="bad@s.test 550 5.7.1 bad\n.far.test REJECT\nwarned@s.test WARN seen\n",
            rcpts="/^(closed)@/ 550 5.2.1 $1 for good\n/^held@/ HOLD\n/^alice@/ PREPEND X-Rule: $$1\n/^carol@/ DISCARD\n")
MORE = "held@example.test bob@example.test\nclosed@example.test bob@example.test\ncarol@example.test bob@example.test\n"


def put(t, name, text):
    """As a whole, as an admin should."""
    with open(f"{t.dir}/etc/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{t.dir}/etc/{name}.new", f"{t.dir}/etc/{name}")


def begin(t, **other):
    for name, text in {**ROWS, **other}.items():
        put(t, name, text)
    t.quickstart()
    return t


def ask(t, sender, *recipients, helo="client.test", port=None):
    """The last reply to RCPT."""
    with Wire(port or t.smtp) as w:
        w.reply()
        w.send(f"EHLO {helo}\r\n".encode())
        w.reply()
        w.send(f"MAIL FROM:<{sender}>\r\n".encode())
        assert w.reply()[0] == 250
        for r in recipients:
            w.send(f"RCPT TO:<{r}>\r\n".encode())
            answer = w.reply()
        return answer


def is_ok(answer):
    return answer[0] == 250


def test_tables():
    with Instance(TABLES, virtual=MORE, start=False) as t:
        begin(t, clients="192.0.2.0/24 REJECT\n127.0.0.1/8 REJECT\n")
        bob = "bob@example.test"
        assert is_ok(ask(t, "a@s.test", bob))
        t.wait_log("warning: table cidr:.*/clients: line 2: is no network: bits behind its length are set")
        assert ask(t, "a@s.test", bob, helo="evil.test") == (554, "5.7.1 <evil.test>: Helo command rejected: not you")
        t.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127.0.0.1\]: 554 5.7.1 <evil.test>: Helo command rejected: not you; "
                   r"from=<a@s.test> to=<bob@example.test> proto=ESMTP helo=<evil.test>")
        assert ask(t, "bad@s.test", bob) == (550, "5.7.1 <bad@s.test>: Sender address rejected: bad")
        assert ask(t, "x@very.far.test", bob)[0] == 554
        assert ask(t, "a@s.test", "closed@example.test") == (550, "5.2.1 <closed@example.test>: Recipient address rejected: closed for good")
        assert ask(t, "a@s.test", "x@elsewhere.test") == (554, "5.7.1 <x@elsewhere.test>: Relay access denied")
        assert is_ok(ask(t, "warned@s.test", bob))
        t.wait_log(r"NOQUEUE: warn: RCPT from .*<warned@s.test>: Sender address seen; from=<warned@s.test>")
        assert not t.send("a@s.test", ["alice@example.test"], LETTER % b"one")
        assert t.fetch("alice", wait=1)[0].count(b"\r\nX-Rule: $1\r\nReceived:") == 1
        # thrown away, and nobody hears of it
        assert not t.send("a@s.test", ["carol@example.test"], LETTER % b"gone")
        t.wait_log("discard: RCPT from")
        # held until it is released
        assert not t.send("a@s.test", ["held@example.test"], LETTER % b"held")
        t.wait_log("placed on hold")
        row = t.ctl("postqueue", "-j")
        assert '"hold"' in row, row
        assert not t.send("a@s.test", [bob], LETTER % b"overtakes")
        assert b"overtakes" in t.fetch("bob", wait=1)[0]
        t.ctl("postsuper", "-H", "ALL")
        assert b"Subject: held" in t.fetch("bob", wait=1)[0]
        assert not t.fetch("bob")


def test_held_over_a_restart():
    with Instance(TABLES, virtual=MORE, start=False) as t:
        begin(t)
        assert not t.send("a@s.test", ["held@example.test"], LETTER % b"held")
        t.stop()
        t.quickstart()
        assert '"hold"' in t.ctl("postqueue", "-j")
        t.ctl("postsuper", "-H", "ALL")
        assert b"Subject: held" in t.fetch("bob", wait=1)[0]


def test_changes():
    """A table that is replaced counts a moment later; a broken one leaves that of before in its place."""
    with Instance(TABLES, virtual=MORE, start=False) as t:
        begin(t)
        bob = "bob@example.test"
        assert is_ok(ask(t, "a@s.test", bob))
        put(t, "clients", "127.0.0.0/8 REJECT\n")
        until(lambda: ask(t, "a@s.test", bob)[0] == 554, 60)
        put(t, "clients", "127.0.0.1/8 REJECT\n0.0.0.0/0 OK")
        until(lambda: ask(t, "a@s.test", bob) and "clients: its last line does not end" in t.log(), 60)
        assert ask(t, "a@s.test", bob)[0] == 554
        put(t, "clients", "127.0.0.1/8 REJECT\n0.0.0.0/0 FROBNICATE\n")
        until(lambda: ask(t, "a@s.test", bob)[0] == 451, 60)
        t.wait_log("NOQUEUE: warning: RCPT from .*: unknown action 'FROBNICATE'")
        put(t, "clients", "0.0.0.0/0 reject_unauth_pipelining, permit\n")
        until(lambda: is_ok(ask(t, "a@s.test", bob)), 60)
        # new words by reload, while a client is in the middle of a message
        with Wire(t.smtp) as w:
            w.reply()
            w.send(b"EHLO c.test\r\nMAIL FROM:<a@s.test>\r\nRCPT TO:<bob@example.test>\r\n")
            assert [w.reply()[0] for _ in range(3)] == [250, 250, 250]
            with open(f"{t.dir}/etc/main.cf", "a") as f:
                f.write("smtpd_recipient_restrictions = reject\n")
            t.ctl("tayori", "reload")
            until(lambda: ask(t, "a@s.test", bob)[0] == 554, 60)
            w.send(b"RCPT TO:<bob@example.test>\r\n")
            assert w.reply()[0] == 554


def test_own_lists_of_a_service():
    with Instance(TABLES, start=False) as t:
        path = f"{t.dir}/etc/master.cf"
        with open(path) as f:
            text = f.read()
        assert text.count("smtpd_service=lmtp") == 1
        with open(path, "w") as f:
            f.write(text.replace("smtpd_service=lmtp", "smtpd_service=lmtp\n  -o smtpd_client_restrictions=\n  -o smtpd_recipient_restrictions=check_sender_access,static:REJECT"))
        begin(t)
        put(t, "clients", "127.0.0.0/8 REJECT\n")
        until(lambda: ask(t, "a@s.test", "bob@example.test")[0] == 554, 60)
        with Wire(t.lmtp) as w:
            w.reply()
            w.send(b"LHLO c.test\r\nMAIL FROM:<a@s.test>\r\nRCPT TO:<bob@example.test>\r\n")
            answers = [w.reply() for _ in range(3)]
            assert answers[2] == (554, "5.7.1 <a@s.test>: Sender address rejected: Access denied"), answers
        # sendmail(1) is no client
        t.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input="Subject: local\n\nx\n")
        t.fetch("bob", wait=1)


def test_words_that_do_not_exist():
    """Named at start, each with its parameter: never passed over."""
    with Instance(start=False) as t:
        with open(f"{t.dir}/etc/main.cf", "a") as f:
            f.write("smtpd_recipient_restrictions = permit_mynetworks, reject_unkown_sender_domain\nsmtpd_client_restrictions = check_policy_service unix:private/policy\n"
                    "smtpd_sender_restrictions = check_sender_access\nsmtpd_helo_restrictions = reject_rhsbl_helo x\nmynetworks = 192.0.2.1/24\n")
        r = t.ctl("tayori", "check", check=False)
        m = run(f"{BUILD}/libexec/master", "-c", f"{t.dir}/etc", timeout=20)
        assert r.returncode == m.returncode == 78 and "not started" in m.stderr, (r, m)
        for line in ("smtpd_recipient_restrictions: 'reject_unkown_sender_domain' is no restriction that is known here; did you mean reject_unknown_sender_domain?",
                     "smtpd_client_restrictions: 'check_policy_service' is no restriction that is known here",
                     "smtpd_sender_restrictions: check_sender_access: a table must follow",
                     "smtpd_helo_restrictions: reject_rhsbl_helo: 'x' is no domain",
                     "mynetworks: '192.0.2.1/24' is no network: bits behind its length are set"):
            assert re.search(rf"main.cf:\d+: error: {re.escape(line)}", r.stderr), (line, r.stderr)
            assert line in m.stderr


def test_mynetworks_never_relay():
    """The service on port 25 is for our own recipients, whatever its lists say; one line tells who would expect more."""
    relay = "smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_recipient_restrictions = permit\n"
    with Instance(relay + "mynetworks = 127.0.0.0/8 10.0.0.0/8\n") as t:
        assert ask(t, "a@s.test", "x@elsewhere.test") == (554, "5.7.1 <x@elsewhere.test>: Relay access denied")
        assert is_ok(ask(t, "a@s.test", "bob@example.test"))
        told = t.ctl("tayori", "check", check=False)
        assert len(re.findall(r"(?m)^master.cf:\d+: warning: service \S+ is for mail to our own recipients and does not relay for mynetworks", told.stderr)) == 2, told
    with Instance(relay, start=False) as t:
        told = t.ctl("tayori", "check", check=False)
        assert told.returncode == 0 and "mynetworks" not in told.stderr, told


def test_dns():
    """Names, domains and lists in a real name server."""
    with hosts.Net() as net:
        b = net.host("b", main="smtpd_client_restrictions = warn_if_reject reject_unknown_reverse_client_hostname, reject_rbl_client bl.test=127.0.0.[2..3]\n"
                          "smtpd_sender_restrictions = reject_unknown_sender_domain, reject_rhsbl_sender bl.test\n")
        net.zone("good.test", "@ MX 10 mx.good.test.")
        net.zone("null.test", "@ MX 0 .")
        net.zone("bl.test", "spam.test A 127.0.0.2\nspam.test TXT \"see there\"")
        net.zone("spam.test", "@ A 192.0.2.1")
        with hosts.inside(b.ns):
            assert is_ok(ask(b, "a@good.test", "x@b.test"))
            assert ask(b, "a@null.test", "x@b.test")[0] == 550
            assert ask(b, "a@none.test", "x@b.test") == (450, "4.1.8 <a@none.test>: Sender address rejected: Domain not found")
            assert ask(b, "a@spam.test", "x@b.test") == (554, "5.7.1 Service unavailable; Sender address [a@spam.test] blocked using bl.test; see there")
            assert is_ok(ask(b, "x@b.test", "x@b.test"))
            b.wait_log("reject_warning: RCPT from .*cannot find your reverse hostname")


if __name__ == "__main__":
    suite.main()
