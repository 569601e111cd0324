#!/usr/bin/env python3
"""A full disk: 452 while the queue's is full, waiting while the mailboxes' is, and all goes on by itself when there is room."""
import contextlib
import os
import subprocess
import time

import tree
from ledger import Client, Load, audit
from tree import Tree, until


@contextlib.contextmanager
def small_disk(path, user, size):
    """A tmpfs on `path`, the user's; yields a function that changes its size."""
    if not tree.suite.ROOT:
        raise tree.suite.Skip("only root can mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700,uid={user},gid={user}", "tayori-test", path], check=True)
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path, leave):
    """A file that takes all but `leave` octets."""
    free = os.statvfs(path)
    with open(f"{path}/filler", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, free.f_bavail * free.f_frsize - leave)


def answer(t, *commands, message=None):
    """The last answer of a dialogue, which ends where it is not the one that leads on."""
    c = Client(t.smtp)
    try:
        for command in commands:
            text = c.say(command, "3" if command == "DATA" else "2")
        if message:
            c.sock.sendall(message)
            text = c.say(".", "2")
        return text
    except Client.Refused as why:
        return str(why)
    finally:
        c.close()


ENVELOPE = ("MAIL FROM:<a@remote.test>", "RCPT TO:<bob@example.test>", "DATA")


def test_queue_disk():
    with Tree("message_size_limit = 2M\nqueue_minfree = 0\n") as t, small_disk(f"{t.dir}/queue", 0, "1M") as resize:
        os.system(f"chown tayori-queue: {t.dir}/queue")
        t.launch()
        # below one and a half times message_size_limit nothing large is begun, and nothing at all is taken
        assert answer(t, "MAIL FROM:<a@remote.test> SIZE=100000").startswith("452 4.3.1"), t.log()
        assert answer(t, *ENVELOPE, message=b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n").startswith("452 4.3.1")
        assert not any(os.listdir(f"{t.dir}/queue/{f}") for f in ("tmp", "new", "cur", "env"))
        resize("16M")
        until(lambda: answer(t, *ENVELOPE, message=b"Subject: x\r\n\r\ny\r\n").startswith("250"), 60)
        assert len(t.fetch("bob", wait=1)) == 1


def test_queue_disk_really_full():
    """Without a reserve the writes themselves fail: 452, nothing is left of them, and what was taken before is kept."""
    with Tree("queue_minfree = 1\n") as t, small_disk(f"{t.dir}/queue", 0, "700k") as resize:
        os.system(f"chown tayori-queue: {t.dir}/queue")
        t.launch()
        with Load(t.smtp, [("x@later.test",), ("alice@example.test", "y@later.test")], connections=4, lines=(4, 30, 300, 2000)) as load:
            until(lambda: len(load.refused) > 100, 60)
            why = set(load.refused.values())
            assert all(w.startswith("452 4.3.1") for w in why), why
            resize("32M")
            n = len(load.acked)
            until(lambda: len(load.acked) > n + 50, 60)
        until(t.drained, 60)
        assert not os.listdir(f"{t.dir}/queue/tmp")
        t.stop()
        result = audit([load], t.dir)
        print(f"full queue: {result}, refused {len(load.refused)}")
        result.check()
        assert not result.twice


def test_mailbox_disk():
    """Nothing bounces: it waits in the queue, and arrives by itself, once."""
    with Tree("minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n") as t, small_disk(f"{t.dir}/mail", 0, "800k") as resize:
        os.system(f"chown tayori-mail: {t.dir}/mail")
        t.launch()
        with Load(t.smtp, [("alice@example.test",), ("bob@example.test",), ("alice@example.test", "bob@example.test")], connections=3) as load:
            until(lambda: len(load.acked) > 40 and "4.2.2" in t.log(), 60)
        assert t.queue(), "nothing waits"
        assert "status=bounced" not in t.log()
        # POP3 works meanwhile, and makes room
        c = t.pop3_client("alice")
        assert c.stat()[0] > 0
        c.quit()
        resize("64M")
        begin = time.monotonic()
        until(lambda: not t.queue(), 60)
        shown = t.counts()
        t.stop()
        result = audit([load], t.dir)
        print(f"full mailboxes: {result}, all delivered {time.monotonic() - begin:.1f} s after there was room")
        result.check()
        assert not result.twice and sum(shown) >= result.acked


if __name__ == "__main__":
    tree.main()
