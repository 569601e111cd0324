#!/usr/bin/env python3
"""Our log, read by what reads Postfix's: it counts what was sent."""
import re
import sys

import suite
from relay import far, submit
from suite import Instance, need, run, until

LETTER = b"From: z@remote.test\r\nTo: bob@example.test\r\nSubject: x\r\n\r\nline\r\n"
RULES = """smtpd_recipient_restrictions = check_recipient_access inline:{ {held@example.test = HOLD} {lost@example.test = DISCARD}
  {closed@example.test = 554 5.7.1 closed} }, warn_if_reject check_sender_access inline:{ {odd@remote.test = REJECT} }
smtpd_sender_restrictions = check_sender_access inline:{ {bad@remote.test = REJECT} }
"""
USERS = "held@example.test bob@example.test\nlost@example.test bob@example.test\nclosed@example.test bob@example.test\n"


def report(t):
    """The numbers of the first table of the report, and all of it."""
    r = run("pflogsumm", "--syslog-name=tayori", f"{t.dir}/log/tayori.log")
    assert r.returncode == 0 and not r.stderr, r.stderr
    rows = re.findall(r"(?m)^ +(\d+)  ([a-z /]+)", r.stdout[:r.stdout.index("Per-Hour")])
    return {what.strip(): int(n) for n, what in rows}, r.stdout


def refused(t, sender, recipients):
    """A transaction in which nobody is left to write to."""
    with t.smtp_client() as c:
        c.ehlo()
        codes = [c.mail(sender)[0]]
        codes += [c.rcpt(r)[0] for r in recipients]
        assert codes[-1] >= 500, codes


def test_pflogsumm():
    need("pflogsumm")

    def sent(n):
        until(lambda: len(re.findall("status=sent", a.log())) == n)
    with far() as b, Instance(f"relayhost = [127.0.0.1]:{b.smtp}\nminimal_backoff_time = 1s\n{RULES}", virtual=USERS) as a:
        # beside each line: what it adds
        for i in range(5):
            submit(a, "far")                                                                            # 5 received, 5 delivered
        for i in range(3):
            a.send("z@remote.test", ["bob@example.test", "alice@example.test"], LETTER)                 # 3, 6
        a.ctl("sendmail", "-f", "alice@example.test", "bob@example.test", input="Subject: s\n\nx\n")  # 1, 1
        sent(12)
        submit(a, "unknown there", ["nobody@far.test"])                                                 # 1, and its report 1; 1 bounced
        sent(13)
        for i in range(2):
            refused(a, "z@remote.test", ["nobody@example.test", "closed@example.test"])                 # 4 rejected
        refused(a, "bad@remote.test", ["bob@example.test"])                                             # 1
        a.send("z@remote.test", ["closed@example.test", "bob@example.test"], LETTER)                    # 1, 1, 1 rejected
        a.send("odd@remote.test", ["bob@example.test"], LETTER)                                         # 1, 1, 1 warning
        a.send("z@remote.test", ["lost@example.test"], LETTER)                                          # 1, 0, 1 discarded
        sent(15)
        a.send("z@remote.test", ["held@example.test"], LETTER)                                          # 1, 0, 1 held
        b.stop()
        submit(a, "late")                                                                               # 1, deferred, and at last 1
        a.wait_log("status=deferred")
        b.quickstart()
        sent(16)
        want = {"received": 15, "delivered": 16, "forwarded": 0, "deferred": 1, "bounced": 1, "rejected": 6, "reject warnings": 1, "held": 1,
                "discarded": 1, "senders": 3, "recipients": 3}
        try:
            until(lambda: {k: n for k, n in report(a)[0].items() if k in want} == want, every=0.5)
        except AssertionError:
            sys.stderr.write(report(a)[1])
            raise


if __name__ == "__main__":
    suite.main()
