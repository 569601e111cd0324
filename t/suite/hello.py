#!/usr/bin/env python3
"""A letter in by SMTP, through the queue, into a mailbox, out by POP3."""
import suite
from suite import Instance, original

LETTER = b"From: a@remote.test\r\nTo: bob@example.test\r\nSubject: hello\r\n\r\n.leading dot\r\nlast line\r\n"


def test_mx_to_pop3():
    with Instance() as t:
        refused = t.send("a@remote.test", ["bob@example.test", "nobody@example.test", "x@elsewhere.test"], LETTER)
        assert refused["nobody@example.test"][0] == 550 and refused["x@elsewhere.test"][0] == 554, refused
        got = t.fetch("bob", wait=1)
        assert len(got) == 1 and original(got[0]) == LETTER, got
        t.wait_log(r"status=sent \(delivered to mailbox\)")
        t.wait_log(r": removed")


def test_status_and_queue():
    with Instance() as t:
        assert "Mail queue is empty" in t.ctl("mailq")
        assert all(pids for pids in t.pids().values())


if __name__ == "__main__":
    suite.main()
