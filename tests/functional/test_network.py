"""--allow: the hosts that were named can be reached by name, by every kind of client; nothing else can."""
import json
import os
import unittest

import fakenet
import harness

PUBLIC, OTHER, THIRD = "93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"
PRIVATE, METADATA = "10.9.8.7", "169.254.169.254"

# What the tasks of these tests have in common.
PRELUDE = '''
import errno, json, socket, ssl, sys, threading, time

def attempt(function, *args):
    """What it returned, or the name of what went wrong."""
    try:
        return function(*args)
    except socket.gaierror as error:
        return "no name" if error.errno in (socket.EAI_NONAME, -5) else "gaierror %d" % error.errno
    except ssl.SSLError as error:
        return type(error).__name__
    except OSError as error:
        # A reset is met by whatever comes next: a read, a write, a shutdown.
        number = errno.ECONNRESET if error.errno in (errno.EPIPE, errno.ENOTCONN) else error.errno
        return errno.errorcode.get(number, type(error).__name__)

def read_all(s):
    data = b""
    while True:
        more = s.recv(65536)
        if not more:
            return data
        data += more

def talk(host, port, text, end=True):
    with socket.create_connection((host, port), timeout=30) as s:
        s.sendall(text if isinstance(text, bytes) else text.encode())
        if end:
            s.shutdown(socket.SHUT_WR)
        return read_all(s).decode("latin-1")

def get(host, port=80, name=None, path="/", method="GET", extra=""):
    return talk(host, port, "%s %s HTTP/1.1\\r\\nHost: %s\\r\\n%sConnection: close\\r\\n\\r\\n"
                % (method, path, name or host, extra)).rsplit("\\r\\n", 1)[-1]

def report(**values):
    print(json.dumps(values))
'''


class NetworkCase(harness.Case):
    NAMES = {"api.test": [PUBLIC], "other.test": [OTHER], "a.deep.test": [PUBLIC], "deep.test": [PUBLIC],
             "private.test": [PRIVATE], "meta.test": [METADATA], "mixed.test": [PRIVATE, PUBLIC], "six.test": [THIRD],
             "both.test": [THIRD, PUBLIC], "dead.test": ["93.184.216.99"], "local.test": ["127.0.0.1"]}
    SERVERS = [{"kind": "echo", "address": PUBLIC, "port": 7}, {"kind": "echo", "address": PUBLIC, "port": 443},
               {"kind": "http", "address": PUBLIC, "port": 80, "text": "public"},
               {"kind": "http", "address": OTHER, "port": 80, "text": "other"},
               {"kind": "http", "address": PRIVATE, "port": 80, "text": "private"},
               {"kind": "http", "address": METADATA, "port": 80, "text": "metadata"},
               {"kind": "banner", "address": PUBLIC, "port": 25}, {"kind": "echo", "address": THIRD, "port": 7},
               {"kind": "http", "address": "127.0.0.1", "port": 8080, "text": "loopback"}]
    CONFIG = {}

    def setUp(self):
        super().setUp()
        harness.probe_verdict()
        self.net = fakenet.Net(self, names=self.NAMES, servers=self.SERVERS, **self.CONFIG)

    def run_net(self, code, *options, status=0, args=()):
        """Runs a task in there; its verdict, and what it reported."""
        path = self.write("task.py", PRELUDE + harness.textwrap.dedent(code))
        verdict = self.path("verdict.json")
        argv = self.argv(*options, "--result", verdict, path, *args)
        code, out, err = self.net.run(argv, self.tmp, harness.PATIENCE)
        result = harness.Result(argv, code, harness.decode(out), harness.decode(err), None)
        if code is None:
            self.fail("hangs: %s" % result)
        if os.path.exists(verdict):
            with open(verdict) as f:
                result.verdict = json.load(f)
            self.assertEqual(harness.schema.verdict_errors(result.verdict), [], "\n%s" % result)
        self.assertEqual(code, status, "\n%s" % result)
        try:
            result.reported = json.loads(result.out.splitlines()[-1]) if result.out else None
        except ValueError:
            result.reported = None
        return result

    def reports(self, code, *options, **kw):
        return self.run_net(code, *options, **kw).reported

    def refused_rows(self, result, kind):
        return [row for row in result.verdict["network"]["refused"] if row["kind"] == kind]


class Names(NetworkCase):
    def test_a_name_that_was_allowed_is_reached(self):
        said = self.reports("report(a=talk('api.test', 7, 'ping'), b=get('api.test'))", "--allow", "api.test:7,80")
        self.assertEqual(said, {"a": "ping", "b": "public /"})

    def test_port_443_is_what_a_name_alone_means(self):
        said = self.reports("report(a=talk('api.test', 443, 'x'), b=attempt(talk, 'api.test', 80, 'x'))", "--allow",
                            "api.test")
        self.assertEqual(said, {"a": "x", "b": "ECONNREFUSED"})

    def test_other_names_do_not_exist_and_are_never_asked_for(self):
        result = self.run_net("report(a=talk('api.test', 7, 'ping'), b=attempt(talk, 'secret-data.other.test', 7, ''))",
                              "--allow", "api.test:7")
        self.assertEqual(result.reported, {"a": "ping", "b": "no name"})
        asked = {what[1] for what in self.net.seen() if what[0] == "dns"}
        self.assertEqual(asked, {"api.test"})
        row, = self.refused_rows(result, "name")
        self.assertEqual((row["name"], row["allowed_by"]), ("secret-data.other.test", "--allow secret-data.other.test"))
        self.assertGreaterEqual(row["count"], 1)

    def test_a_wildcard_stands_for_whole_labels(self):
        said = self.reports("""
            report(one=talk('a.deep.test', 7, 'x'), zero=attempt(talk, 'deep.test', 7, 'x'),
                   tail=attempt(talk, 'notdeep.test', 7, 'x'))""", "--allow", "*.deep.test:7")
        self.assertEqual(said, {"one": "x", "zero": "no name", "tail": "no name"})

    def test_case_and_a_trailing_dot_do_not_count(self):
        said = self.reports("report(a=talk('API.Test', 7, 'x'), b=talk('api.test.', 7, 'y'), c=get('API.test.'))",
                            "--allow", "Api.TEST.:7,80")
        self.assertEqual(said, {"a": "x", "b": "y", "c": "public /"})

    def test_rules_from_a_file(self):
        lines = ["# hosts", ""] + ["n%d.test:7" % i for i in range(3000)] + ["  api.test:7   # this one", ""]
        rules = self.write("hosts.txt", "\n".join(lines))
        said = self.reports("report(a=talk('api.test', 7, 'x'))", "--allow-file", rules)
        self.assertEqual(said, {"a": "x"})

    def test_names_of_the_hosts_file(self):
        self.net.end()
        self.net = fakenet.Net(self, names={}, servers=self.SERVERS, hosts="127.0.0.1 localhost\n%s filed.test\n" % PUBLIC)
        self.assertEqual(self.reports("report(a=talk('filed.test', 7, 'x'))", "--allow", "filed.test:7"), {"a": "x"})

    def test_a_short_name_is_looked_for_as_the_host_does(self):
        self.net.end()
        self.net = fakenet.Net(self, names=self.NAMES, servers=self.SERVERS,
                               resolv="nameserver %s\nsearch nowhere.test test\n" % fakenet.NAME_SERVER)
        self.assertEqual(self.reports("report(a=talk('api', 7, 'x'))", "--allow", "api:7"), {"a": "x"})

    def test_ipv6_upstream_and_the_next_address_when_one_is_dead(self):
        said = self.reports("report(six=talk('six.test', 7, 'x'), both=get('both.test'))", "--allow", "six.test:7",
                            "--allow", "both.test:80")
        self.assertEqual(said, {"six": "x", "both": "public /"})

    def test_an_allowed_name_that_does_not_exist(self):
        self.assertEqual(self.reports("report(a=attempt(talk, 'missing.test', 7, ''))", "--allow", "missing.test:7"),
                         {"a": "no name"})

    def test_a_host_that_does_not_answer(self):
        said = self.reports("report(a=attempt(talk, 'dead.test', 7, 'x'))", "--allow", "dead.test:7")
        self.assertIn(said["a"], ("ECONNRESET", "ECONNREFUSED"))

    def test_many_names_at_once(self):
        self.net.ask(names={"h%d.many.test" % i: [PUBLIC] for i in range(200)})
        said = self.reports("""
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda i: talk('h%d.many.test' % i, 7, str(i)), range(200)))
            report(ok=answers == [str(i) for i in range(200)])""", "--allow", "*.many.test:7")
        self.assertEqual(said, {"ok": True})

    def test_by_tcp_and_by_hand(self):
        said = self.reports("""
            import struct
            def ask(name, kind, tcp, raw=None):
                q = raw or (struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l.encode()
                                 for l in name.split('.')) + b'\\0' + struct.pack('>HH', kind, 1))
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
                    s.settimeout(30)
                    s.connect(('198.18.0.1', 53))
                    s.sendall(struct.pack('>H', len(q)) + q if tcp else q)
                    d = s.recv(4096)
                    d = d[2:] if tcp else d
                    return [d[3] & 15, struct.unpack('>H', d[6:8])[0]]
            report(a=ask('api.test', 1, True), aaaa=ask('api.test', 28, False), mx=ask('api.test', 15, False),
                   no=ask('other.test', 1, True), bad=ask('', 0, False, b'\\0\\7\\1\\0' + b'\\0\\1' + b'\\0' * 6 + b'\\xff' * 9))
            """, "--allow", "api.test:7")
        self.assertEqual(said, {"a": [0, 1], "aaaa": [0, 0], "mx": [0, 0], "no": [3, 0], "bad": [1, 0]})


class Addresses(NetworkCase):
    def test_literal_addresses_and_ranges(self):
        said = self.reports("""
            report(v4=get('%s', name='x'), v6=talk('%s', 7, 'x'), range=get('%s', name='x'),
                   port=attempt(talk, '%s', 7, ''), beside=attempt(get, '93.184.216.36'))""" % (PUBLIC, THIRD, PRIVATE, PUBLIC),
                            "--allow", PUBLIC + ":80", "--allow", "[%s]:7" % THIRD, "--allow", "10.9.8.0/28:80")
        self.assertEqual(said, {"v4": "public /", "v6": "x", "range": "private /", "port": "ECONNREFUSED",
                                "beside": "ECONNREFUSED"})

    def test_a_wide_range(self):
        said = self.reports("""
            report(a=get('%s', name='x'), b=attempt(get, '%s'), own=attempt(get, '127.0.0.1'), name=get('api.test'))
            """ % (PRIVATE, OTHER), "--allow", "10.0.0.0/8:80", "--allow", "api.test:80")
        self.assertEqual(said, {"a": "private /", "b": "ECONNRESET", "own": "ECONNRESET", "name": "public /"})

    def test_the_hosts_own_loopback_when_it_is_named(self):
        said = self.reports("report(a=get('127.0.0.1', 8080), b=attempt(get, '127.0.0.1', 8081))", "--allow",
                            "127.0.0.1:8080")
        self.assertEqual(said, {"a": "loopback /", "b": "ECONNREFUSED"})

    def test_refused_at_once_and_seen(self):
        result = self.run_net("""
            ok = talk('api.test', 7, 'x')
            tried = [attempt(talk, '8.8.8.8', 53, ''), attempt(talk, '8.8.8.8', 53, ''),
                     attempt(talk, '2001:4860:4860::8888', 443, ''), attempt(talk, '::ffff:%s', 80, ''),
                     attempt(talk, '134744072', 80, ''), attempt(talk, '010.010.010.010', 80, '')]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(('8.8.8.8', 53))
                s.send(b'x')
                tried.append(attempt(s.recv, 1))
            report(ok=ok, tried=tried)""" % METADATA, "--allow", "api.test:7")
        self.assertEqual(result.reported, {"ok": "x", "tried": ["ECONNREFUSED"] * 7})
        rows = {(row["kind"], row["address"], row["port"]): row for row in result.verdict["network"]["refused"]}
        self.assertEqual(rows["address", "8.8.8.8", 53]["count"], 2)
        self.assertEqual(rows["address", "8.8.8.8", 53]["allowed_by"], "--allow 8.8.8.8:53")
        self.assertEqual(rows["address", "2001:4860:4860::8888", 443]["allowed_by"], "--allow [2001:4860:4860::8888]")
        self.assertIn(("address", METADATA, 80), rows)
        self.assertIn(("address", "8.8.8.8", 80), rows)
        self.assertIn(("udp", "8.8.8.8", 53), rows)

    def test_a_port_of_a_name_that_was_not_allowed(self):
        result = self.run_net("report(a=talk('api.test', 7, 'x'), b=attempt(get, 'api.test'))", "--allow", "api.test:7")
        self.assertEqual(result.reported, {"a": "x", "b": "ECONNREFUSED"})
        row, = self.refused_rows(result, "port")
        self.assertEqual((row["name"], row["port"], row["allowed_by"]), ("api.test", 80, "--allow api.test:80"))

    def test_private_destinations_need_their_address(self):
        result = self.run_net("""
            report(ok=talk('api.test', 7, 'x'), private=attempt(get, 'private.test'), meta=attempt(get, 'meta.test'),
                   local=attempt(get, 'local.test', 8080), mixed=get('mixed.test'))""", "--allow", "api.test:7",
                              "--allow", "private.test:80", "--allow", "meta.test:80", "--allow", "local.test:8080",
                              "--allow", "mixed.test:80")
        self.assertEqual(result.reported, {"ok": "x", "private": "no name", "meta": "no name", "local": "no name",
                                           "mixed": "public /"})
        rows = {row["name"]: row for row in self.refused_rows(result, "destination")}
        self.assertEqual(rows["private.test"]["address"], PRIVATE)
        self.assertIn("@" + METADATA, rows["meta.test"]["allowed_by"])
        self.assertFalse([what for what in self.net.seen() if what[:2] in (["accept", METADATA + ":80"],
                                                                           ["accept", PRIVATE + ":80"])])
        said = self.reports("report(a=get('private.test'), b=get('local.test', 8080))", "--allow",
                            "private.test:80@10.0.0.0/8", "--allow", "local.test:8080@127.0.0.1")
        self.assertEqual(said, {"a": "private /", "b": "loopback /"})

    def test_the_tasks_own_servers_go_on(self):
        said = self.reports("""
            def server(address, port, family=socket.AF_INET):
                s = socket.socket(family)
                s.bind((address, port))
                s.listen()
                def serve():
                    c = s.accept()[0]
                    c.sendall(b'mine')
                    c.close()
                threading.Thread(target=serve, daemon=True).start()
                return s.getsockname()[1]
            before = talk('api.test', 443, 'x')
            ports = [server('127.0.0.1', 443), server('127.0.0.1', 0), server('0.0.0.0', 0), server('::1', 0, socket.AF_INET6)]
            report(before=before, own=[talk('::1' if i == 3 else 'localhost', p, '') for i, p in enumerate(ports)],
                   after=talk('api.test', 443, 'y'))""", "--allow", "api.test")
        self.assertEqual(said, {"before": "x", "own": ["mine"] * 4, "after": "y"})


class Resolution(NetworkCase):
    def test_an_address_that_changes_into_a_private_one(self):
        """Rebinding: the address that is judged is the one that is connected to."""
        self.net.answers(**{"re__test": {"turns": [[PUBLIC], [PRIVATE]], "ttl": 0}})
        result = self.run_net("""
            first = get('re.test')
            end = time.monotonic() + 40
            while time.monotonic() < end:
                # As long as the first answer holds it is the first address.
                again = attempt(get, 're.test')
                if again != first:
                    break
                time.sleep(0.2)
            report(first=first, again=again)""", "--allow", "re.test:80")
        self.assertEqual(result.reported["first"], "public /")
        self.assertIn(result.reported["again"], ("no name", "ECONNRESET", "ECONNREFUSED"))
        self.assertEqual(self.refused_rows(result, "destination")[0]["address"], PRIVATE)
        self.assertNotIn(["accept", PRIVATE + ":80"], self.net.seen())

    def test_hostile_answers(self):
        self.net.answers(alias__test={"cname": "private.test"}, alias2__test={"cname": "api.test"},
                         loop__test={"cname": "loop.test", "rcode": 0} if False else {"mode": "garbage"},
                         huge__test={"mode": "huge", "addresses": [PUBLIC]},
                         cut__test={"mode": "truncated", "addresses": [PUBLIC]},
                         slow__test={"mode": "slow", "addresses": [PUBLIC]}, silent__test={"mode": "silent"},
                         fail__test={"rcode": 2}, mapped__test={"addresses": ["::ffff:" + PRIVATE]})
        result = self.run_net("""
            names = ['alias', 'alias2', 'loop', 'huge', 'cut', 'slow', 'silent', 'fail', 'mapped']
            report(**{n: attempt(get, n + '.test') for n in names})""",
                              *[word for n in ("alias", "alias2", "loop", "huge", "cut", "slow", "silent", "fail", "mapped")
                                for word in ("--allow", n + ".test:80")])
        said = result.reported
        self.assertEqual(said["alias"], "no name")
        self.assertEqual([said[n] for n in ("alias2", "huge", "cut", "slow")], ["public /"] * 4)
        self.assertEqual(said["mapped"], "no name")
        for name in ("loop", "silent", "fail"):
            self.assertTrue(said[name].startswith("gaierror"), said)
        self.assertNotIn(["accept", PRIVATE + ":80"], self.net.seen())


if __name__ == "__main__":
    unittest.main()
