#!/usr/bin/env python3
"""tayori dns: what it tells of a domain, against a name server of its own; the order is the one in which smtp tries hosts."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite
from hosts import Net
from suite import BUILD, TOP, run

BASE = "resolver_trust_anchor_file =\nsmtp_dns_time_limit = 20s\nmyhostname = here.test\nmyorigin = here.test\n"


class Asker(Net):
    def __enter__(self):
        super().__enter__()
        self.conf = f"{self.dir}/conf"
        os.mkdir(self.conf)
        with open(f"{TOP}/etc/master.cf") as f, open(f"{self.conf}/master.cf", "w") as g:
            g.write(f.read())
        self.configure()
        return self

    def configure(self, more=""):
        with open(f"{self.conf}/main.cf", "w") as f:
            f.write(f"{BASE}resolver_forward = {self.dns}\n{more}")

    def where(self, domain, status=0):
        r = run("ip", "netns", "exec", self.dns_ns, f"{BUILD}/bin/tayori", "-c", self.conf, "dns", domain, "--json", timeout=120)
        assert r.returncode == status, r
        return json.loads(r.stdout)

    def show(self, domain):
        return run("ip", "netns", "exec", self.dns_ns, f"{BUILD}/bin/tayori", "-c", self.conf, "dns", domain, timeout=120).stdout


def rows(answer, key="order"):
    return [(r["preference"], r.get("host") or r["name"]) for r in answer[key]]


def test_domains():
    with Asker() as net:
        net.zones["99.10.in-addr.arpa"] = "1.2 PTR a.equal.test.\n2.2 PTR elsewhere.equal.test.\n"
        net.zones["equal.test"] = ("@ MX 20 c\n@ MX 10 a\n@ MX 10 b\na A 10.99.2.1\nb A 10.99.2.2\nb AAAA 2001:db8::2\nc A 10.99.2.3\nelsewhere A 10.99.2.9\n")
        net.zones["null.test"] = "@ MX 0 .\n@ A 10.99.2.1\n"
        net.zones["bare.test"] = "@ A 10.99.2.1\nother CNAME @\nnothing TXT x\n"
        net.zones["odd.test"] = "@ MX 10 alias\nalias CNAME real\nreal A 10.99.2.4\nself MX 5 better.bare.test.\nself MX 10 here.test.\nself MX 20 a.equal.test.\nours MX 10 here.test.\n"
        net.zone("dead.test", "@ MX 10 gone.dead.test.")
        seen = set()
        for _ in range(200):  # among equals by chance: 200 times the same is no chance
            answer = net.where("equal.test")
            assert [p for p, _ in rows(answer)] == [10, 10, 10, 20] and rows(answer)[-1] == (20, "c.equal.test"), answer
            seen.add(answer["order"][0]["host"])
            if len(seen) == 2:
                break
        assert seen == {"a.equal.test", "b.equal.test"}
        assert answer["result"] == "ok" and not answer["implicit_mx"] and not answer["dnssec"] and "why" not in answer
        assert answer["order"][0]["why"] == "one of 2 hosts with preference 10, by chance"
        hosts = {h["name"]: {a["address"]: (a["ptr"], a["confirmed"]) for a in h["addresses"]} for h in answer["hosts"]}
        assert hosts == {"a.equal.test": {"10.99.2.1": (["a.equal.test"], True)}, "b.equal.test": {"10.99.2.2": (["elsewhere.equal.test"], False), "2001:db8::2": ([], False)},
                         "c.equal.test": {"10.99.2.3": ([], False)}}, hosts
        told = net.show("equal.test")
        assert "MX 20  c.equal.test" in told and "PTR does not lead back" in told and "no PTR" in told and "\nfirst: " in told, told

        answer = net.where("null.test", status=68)
        assert answer["result"] == "takes no mail" and "nullMX" in answer["why"] and answer["order"] == answer["hosts"] == []
        answer = net.where("bare.test")
        assert answer["implicit_mx"] and rows(answer) == [(0, "bare.test")] and "has no MX" in answer["order"][0]["why"], answer
        answer = net.where("other.bare.test")
        assert answer["alias_of"] == "bare.test" and answer["order"][0]["address"] == "10.99.2.1", answer
        answer = net.where("nothing.bare.test", status=75)
        assert answer["result"] == "later" and answer["order"] == [] and "no address" in answer["why"], answer
        answer = net.where("nobody.bare.test", status=68)
        assert answer["result"] == "no such domain" and "not found" in answer["why"], answer
        answer = net.where("odd.test")
        assert answer["hosts"][0]["alias_of"] == "real.odd.test" and answer["order"][0]["address"] == "10.99.2.4"
        assert "RFC 5321 forbids" in net.show("odd.test")
        answer = net.where("dead.test", status=75)
        assert answer["result"] == "later" and rows(answer, "hosts") == [(10, "gone.dead.test")] and answer["order"] == []
        # this host is the best that is left: those behind it are never tried
        answer = net.where("ours.odd.test")
        assert answer["result"] == "this host" and "loops back to myself" in answer["why"] and answer["order"] == []
        answer = net.where("self.odd.test")
        assert answer["result"] == "this host" and len(answer["hosts"]) == 3 and answer["order"] == []


def test_server_in_trouble():
    """SERVFAIL and silence are no answer: mail would wait."""
    with Asker() as net:
        net.zone("equal.test", "@ MX 10 a\na A 10.99.2.1")
        answer = net.where("equal.test")
        assert answer["result"] == "ok"
        os.remove(f"{net.dir}/equal.test.zone")
        net.stop_dns()
        net.zones["equal.test"] = "syntax error here"  # such a zone is served as SERVFAIL
        net.serve()
        answer = net.where("equal.test", status=75)
        assert answer["result"] == "later" and answer["hosts"] == answer["order"] == [], answer
        net.stop_dns()
        net.configure("smtp_dns_time_limit = 1s\n")
        answer = net.where("equal.test", status=75)
        assert answer["result"] == "later" and "no answer" in answer["why"], answer


def test_other_routes():
    with Asker() as net:
        net.zone("equal.test", "@ MX 10 a\na A 10.99.2.1")
        net.configure("relayhost = [smart.test]:587\n")
        answer = net.where("equal.test")
        assert answer["route"] == {"parameter": "relayhost", "next_hop": "[smart.test]:587"} and answer["result"] == "ok"
        with open(f"{net.dir}/transport", "w") as f:
            f.write(".test smtp:[parent.test]\nequal.test smtp:[own.test]:26\n")
        net.configure(f"relayhost = [smart.test]:587\ntransport_maps = texthash:{net.dir}/transport\n")
        assert net.where("equal.test")["route"] == {"parameter": "transport_maps", "next_hop": "smtp:[own.test]:26"}
        assert net.where("x.equal.test", status=68)["route"]["next_hop"] == "smtp:[parent.test]"
        assert "But mail for it goes to smtp:[own.test]:26, says transport_maps." in net.show("equal.test")
        net.configure("transport_maps = texthash:/nonexistent/table\n")
        assert "route" not in net.where("equal.test")


def test_wrong_calls():
    for args, status in ((), 64), (("a", "b"), 64), (("--xml", "a"), 64), (("a b",), 65), (("x" * 64 + ".test",), 65), (("",), 65), (("a..b",), 65), (("便り.test",), 65):
        r = run(f"{BUILD}/bin/tayori", "-c", f"{TOP}/etc", "dns", *args)
        assert r.returncode == status and "tayori dns: " in r.stderr and not r.stdout, (args, r)


if __name__ == "__main__":
    suite.main()
