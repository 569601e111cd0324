#!/usr/bin/env python3
"""Some sessions and another program change one folder at the same time, at random. Each client keeps the list of messages as
the answers have it: numbers must always mean the UIDs that they meant before, EXPUNGE must come only when it may, and at
the end all must agree.

    agree.py SESSION [SEED [SECONDS]]        SESSION: t-imap-talk"""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SESSION = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 5
CLIENTS, MOST = 4, 150


class Wrong(Exception):
    pass


class Client:
    def __init__(self, home, number):
        self.random = random.Random(SEED * 100 + number)
        self.name, self.commands, self.log = "abcdefgh"[number], 0, []
        self.home, self.rows = home, []  # [uid or None, flags or None] by sequence number
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([SESSION, "--session", home, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        self.socket, self.file = ours, ours.makefile("rb")
        self.file.readline()
        self.resync = number % 2 == 1
        if self.resync:
            self.run("ENABLE QRESYNC")
        self.select()

    def close(self):
        self.socket.close()
        self.file.close()
        return self.process.wait(20)

    def answer(self):
        line = whole = self.file.readline()
        while literal := re.search(rb"\{(\d+)\}\r\n$", line):
            whole += self.file.read(int(literal[1]))
            line = self.file.readline()
            whole += line
        if not line:
            raise Wrong("the session has ended")
        self.log = self.log[-40:] + [whole[:300]]
        return whole

    def run(self, command, data=b""):
        self.commands += 1
        tag = f"{self.name}{self.commands}"
        self.log.append(command.encode())
        self.socket.sendall(f"{tag} {command}\r\n".encode() + data)
        fixed = command.split()[0] in ("FETCH", "STORE", "SEARCH")
        while not (line := self.answer()).startswith(tag.encode() + b" "):
            self.take(line, fixed)
        if line.split()[1] == b"BAD":
            raise Wrong(f"{command}: {line}")

    def take(self, line, fixed):
        if m := re.match(rb"\* (\d+) EXISTS", line):
            if int(m[1]) < len(self.rows):
                raise Wrong("EXISTS tells of fewer than there are")
            self.rows += [[None, None] for _ in range(int(m[1]) - len(self.rows))]
        elif m := re.match(rb"\* (\d+) EXPUNGE", line):
            if fixed or self.resync or not 1 <= int(m[1]) <= len(self.rows):
                raise Wrong(f"EXPUNGE out of place: {line}")
            del self.rows[int(m[1]) - 1]
        elif m := re.match(rb"\* VANISHED ([\d:,]+)", line):
            if fixed or not self.resync:
                raise Wrong(f"VANISHED out of place: {line}")
            for part in m[1].decode().split(","):
                first, _, last = part.partition(":")
                for uid in range(int(first), int(last or first) + 1):
                    self.vanish(uid)
        elif m := re.match(rb"\* (\d+) FETCH \((.*)\)\r\n$", line, re.S):
            self.take_fetch(int(m[1]), m[2], line)

    def vanish(self, uid):
        rest = [row for row in self.rows if row[0] != uid]
        if len(rest) == len(self.rows):  # one of those whose UID was never told: which of them, is not known
            if all(row[0] for row in rest):
                raise Wrong(f"VANISHED {uid}, which is unknown")
            rest = [[None, None] for _ in rest[1:]]
        self.rows = rest

    def take_fetch(self, number, items, line):
        if not 1 <= number <= len(self.rows):
            raise Wrong(f"FETCH of a number that is not there: {line}")
        row = self.rows[number - 1]
        if uid := re.search(rb"UID (\d+)", items):
            if row[0] not in (None, int(uid[1])):
                raise Wrong(f"message {number} has UID {int(uid[1])}, and had {row[0]}")
            row[0] = int(uid[1])
        if flags := re.search(rb"FLAGS \(([^)]*)\)", items):
            row[1] = sorted(set(flags[1].split()) - {b"\\Recent"})

    def select(self):
        self.rows = []
        self.run("SELECT INBOX")
        self.look()

    def look(self):
        self.run("UID FETCH 1:* (UID FLAGS)")
        uids = [row[0] for row in self.rows if row[0]]
        if uids != sorted(set(uids)):
            raise Wrong("UIDs do not ascend")

    def number(self):
        return self.random.randint(1, len(self.rows))

    def append(self):
        text = b"Subject: x\r\n\r\nbody %d\r\n" % self.random.randrange(10**6)
        self.run("APPEND INBOX (\\Seen) {%d+}" % len(text), text + b"\r\n")

    def drop(self):
        with open(f"{self.home}/new/{time.time_ns()}.{self.name}{self.commands}.h", "w") as file:
            file.write("Subject: y\n\nz\n")

    def meddle(self):
        """As another program: a file is removed, or gets other flags."""
        try:
            old = self.random.choice(os.listdir(f"{self.home}/cur"))
            if self.random.random() < 0.3:
                os.unlink(f"{self.home}/cur/{old}")
            else:
                new = old.split(":")[0] + ":2," + self.random.choice(["", "S", "FS", "ST"])
                os.rename(f"{self.home}/cur/{old}", f"{self.home}/cur/{new}")
        except (FileNotFoundError, IndexError):
            pass

    def step(self):
        few = len(self.rows) < MOST
        flag = self.random.choice(["\\Seen", "\\Flagged", "\\Answered", "one", "two"])
        acts = [lambda: self.run("EXPUNGE"), lambda: self.run("NOOP"), lambda: self.run("SEARCH UNSEEN TEXT body"),
                lambda: self.run("UID SEARCH DELETED"), self.look, self.meddle]
        if few:
            acts += [self.append, self.drop, lambda: self.run(f"UID COPY {self.random.randint(1, 400)} INBOX")]
        if self.rows:
            acts += [lambda: self.run(f"STORE {self.number()} +FLAGS.SILENT (\\Deleted)"),
                     lambda: self.run(f"STORE {self.number()}:* {self.random.choice(['', '+', '-'])}FLAGS ({flag})"),
                     lambda: self.run(f"FETCH {self.number()}:{self.number()} (FLAGS BODY[TEXT] RFC822.SIZE)"),
                     lambda: self.run(f"MOVE {self.number()} INBOX")]
        if self.random.random() < 0.01:
            acts = [lambda: (self.run("UNSELECT"), self.select())]
        self.random.choice(acts)()


def play(client, until, failed):
    try:
        while time.time() < until and not failed:
            client.step()
    except Exception as e:
        failed.append((client, e))


def main():
    home = tempfile.mkdtemp(prefix="imap-agree.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    for folder in "new", "cur", "tmp":
        os.mkdir(f"{home}/{folder}")
    failed = []
    clients = [Client(home, n) for n in range(CLIENTS)]
    threads = [threading.Thread(target=play, args=(c, time.time() + SECONDS, failed)) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not failed:
        for client in clients * 2:
            client.run("NOOP")
        for client in clients:
            client.look()
    for client, e in failed:
        print(f"seed {SEED}, client {client.name}: {e!r}", *client.log, sep="\n\t")
    same = all(client.rows == clients[0].rows for client in clients)
    ends = [client.close() for client in clients]
    shutil.rmtree(home)
    print(f"{sum(c.commands for c in clients)} commands, {len(clients[0].rows)} messages, "
          f"{'all agree' if same else f'seed {SEED}: they do not agree'}")
    return 0 if same and not failed and not any(ends) else 1


sys.exit(main())
