#!/usr/bin/env python3
"""A name server that answers badly in many ways: mail waits, and is returned only for what is sure, a name that is not there and a null MX."""
import contextlib
import random
import re
import socket
import struct
import threading

import suite
from suite import Instance, until

A, CNAME, MX, TXT = 1, 5, 15, 16
SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, FORMERR = 2, 3, 4, 5, 1
ANSWER, CUT = 0x8180, 0x0200  # flags: QR RD RA; TC


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def record(owner, kind, data, klass=1):
    return owner + struct.pack("!HHIH", kind, klass, 60, len(data)) + data


def packet(query, rcode=0, records=(), flags=ANSWER, identity=None, question=None):
    head = struct.pack("!HHHHHH", struct.unpack("!H", query[:2])[0] if identity is None else identity, flags | rcode, 1, len(records), 0, 0)
    return head + (question or query[12:query.index(b"\0", 12) + 5]) + b"".join(records)


HERE = b"\xc0\x0c"  # the question's name


def mx(host, preference=10):
    return record(HERE, MX, struct.pack("!H", preference) + host)


# what a query for a name below KIND.test gets: a packet, or None for silence; `kind` is its type
KINDS = {
    "servfail": lambda q, kind: packet(q, SERVFAIL),
    "refused": lambda q, kind: packet(q, REFUSED),
    "formerr": lambda q, kind: packet(q, FORMERR),
    "notimp": lambda q, kind: packet(q, NOTIMP),
    "unknowncode": lambda q, kind: packet(q, 11),
    "silent": lambda q, kind: None,
    "otherid": lambda q, kind: packet(q, NXDOMAIN, identity=struct.unpack("!H", q[:2])[0] ^ 1),
    "otherquestion": lambda q, kind: packet(q, NXDOMAIN, question=name("else.test") + struct.pack("!HH", kind, 1)),
    "halfhead": lambda q, kind: packet(q)[:7],
    "cutshort": lambda q, kind: packet(q, records=[mx(name("mx.cutshort.test"))])[:-5],
    "noise": lambda q, kind: q[:2] + random.randbytes(200),
    "pointerloop": lambda q, kind: packet(q, records=[record(b"\xc0" + bytes([12 + len(q[12:q.index(b"\0", 12) + 5])]), MX, b"\0\x0a" + HERE)]),
    "toolong": lambda q, kind: packet(q, records=[HERE + struct.pack("!HHIH", MX, 1, 60, 60000) + b"\0\x0a"]),
    "badlabel": lambda q, kind: packet(q, records=[mx(b"\x80abc\0")]),
    "circle": lambda q, kind: packet(q, records=[record(HERE, CNAME, HERE)]),
    "wrongtype": lambda q, kind: packet(q, records=[record(HERE, TXT, b"\x02no")]),
    "wrongclass": lambda q, kind: packet(q, records=[record(HERE, MX, b"\0\x0a" + HERE, 3)]),
    "cutandnotcp": lambda q, kind: packet(q, flags=ANSWER | CUT),
    "nothing": lambda q, kind: packet(q),
    "hostsilent": lambda q, kind: packet(q, records=[mx(name("mx.silent.test"))]) if kind == MX else None,
    "hostservfail": lambda q, kind: packet(q, records=[mx(name("mx.servfail.test"))]) if kind == MX else packet(q, SERVFAIL),
}
SURE = {
    "gone": lambda q, kind: packet(q, NXDOMAIN),
    "null": lambda q, kind: packet(q, records=[mx(b"\0", 0)]) if kind == MX else packet(q),
}


def asked(query):
    """The labels of the question, lower case, and its type."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1").lower())
        at += 1 + query[at]
    return labels, struct.unpack("!H", query[at + 1:at + 3])[0]


@contextlib.contextmanager
def name_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        over = threading.Event()

        def serve():
            s.settimeout(0.2)
            while not over.is_set():
                try:
                    query, client = s.recvfrom(4096)
                    labels, kind = asked(query)
                except (OSError, IndexError, struct.error):
                    continue
                answer = {**KINDS, **SURE}.get(labels[-2] if len(labels) > 1 else "", SURE["gone"])(query, kind)
                if answer is not None:
                    s.sendto(answer, client)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield s.getsockname()[1]
        finally:
            over.set()
            thread.join()


def submit(t, domains):
    with t.smtp_client(t.submission, tls=True) as c:
        c.login("alice", "tayori")
        c.sendmail("alice@example.test", [f"x@{d}.test" for d in domains], b"Subject: where to\r\n\r\nx\r\n")


def test_bad_answers():
    with name_server() as port, Instance(f"resolver_forward = 127.0.0.1@{port}\nresolver_trust_anchor_file =\nsmtp_dns_time_limit = 3s\n") as t:
        submit(t, SURE)
        until(lambda: len(re.findall("status=bounced", t.log())) == 2, 120)
        submit(t, KINDS)
        for kind in KINDS:
            until(lambda: re.search(rf"to=<x@{kind}\.test>.*status=deferred", t.log()), 120)
        log = t.log()
        assert len(re.findall("status=bounced", log)) == 2 and "killed by" not in log and "panic" not in log
        why = {kind: re.search(rf"to=<x@{kind}\.test>.*dsn=(\S+), status=deferred \((.*)\)", log).groups() for kind in KINDS}
        print(f"  {len(KINDS)} kinds wait: {sorted({status for status, _ in why.values()})}")
        assert all(status.startswith("4.4.") for status, _ in why.values()), why
        told = b"".join(t.fetch("alice", wait=1))
        assert b"5.4.4" in told and b"5.1.10" in told and not any(f"x@{kind}.test".encode() in told for kind in KINDS), told


if __name__ == "__main__":
    suite.main()
