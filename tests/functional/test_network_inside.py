"""--allow: what is said inside a connection, how much passes, and what is left when something dies."""
import json
import os
import signal
import subprocess
import unittest

import harness
import schema
from test_network import NetworkCase, OTHER, PRELUDE, PUBLIC

TLS_PRELUDE = '''
def tls(host, name, port=443, text="ping", ca=sys.argv[1] if len(sys.argv) > 1 else None):
    context = ssl.create_default_context(cafile=ca)
    if name is None:
        context.check_hostname = False
    with socket.create_connection((host, port), timeout=30) as raw:
        with context.wrap_socket(raw, server_hostname=name) as s:
            s.sendall(text.encode())
            return s.recv(100).decode()
'''


class Http(NetworkCase):
    def test_requests_for_another_host(self):
        result = self.run_net("""
            good = "GET / HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n"
            evil = "GET /stolen HTTP/1.1\\r\\nHost: other.test\\r\\n\\r\\n"
            body = "POST / HTTP/1.1\\r\\nHost: api.test\\r\\n"
            said = dict(
                good=get('api.test'),
                host=attempt(get, 'api.test', 80, 'other.test'),
                uri=attempt(talk, 'api.test', 80, evil.replace('/stolen', 'http://other.test/stolen').replace(
                    'Host: other', 'Host: api'), False),
                second=attempt(talk, 'api.test', 80, good + evil, False),
                length=attempt(talk, 'api.test', 80, body + "Content-Length: 2\\r\\n\\r\\nok" + evil, False),
                chunked=attempt(talk, 'api.test', 80, body + "Transfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n" + evil, False),
                both=attempt(talk, 'api.test', 80, body + "Content-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"
                             + evil, False),
                connect=attempt(talk, 'api.test', 80, "CONNECT other.test:80 HTTP/1.1\\r\\nHost: other.test:80\\r\\n\\r\\n", False),
                lf=attempt(talk, 'api.test', 80, evil.replace("\\r\\n", "\\n"), False))
            report(**said)""", "--allow", "api.test:80")
        said = result.reported
        self.assertEqual(said.pop("good"), "public /")
        for name, answer in said.items():
            self.assertEqual(answer, "ECONNRESET", name)
        self.assertFalse([what for what in self.net.seen() if what[0] == "got" and "stolen" in what[2]])
        rows = self.refused_rows(result, "http")
        self.assertIn(("api.test", "other.test", "--allow api.test:80:any-sni"),
                      [(row["name"], row["named"], row["allowed_by"]) for row in rows])

    def test_requests_in_pieces(self):
        said = self.reports("""
            with socket.create_connection(('api.test', 80), timeout=30) as s:
                for piece in ("GET /one HTTP/1.1\\r\\n", "Ho", "st: api.test\\r", "\\n\\r\\nGET /two HT", "TP/1.1\\r\\nHost: api.test\\r\\n",
                              "Connection: close\\r\\n\\r\\n"):
                    s.sendall(piece.encode())
                    time.sleep(0.05)
                s.shutdown(socket.SHUT_WR)
                report(text=read_all(s).decode())""", "--allow", "api.test:80")
        self.assertIn("public /one", said["text"])
        self.assertIn("public /two", said["text"])

    def test_a_redirect_to_a_host_that_was_not_allowed(self):
        self.net.ask(serve={"kind": "http", "address": PUBLIC, "port": 81, "status": "302 Found",
                            "headers": "Location: http://other.test/stolen\r\n"})
        result = self.run_net("""
            import urllib.error, urllib.request
            ok = urllib.request.urlopen('http://api.test/fine', timeout=30).read().decode()
            try:
                there = urllib.request.urlopen('http://api.test:81/', timeout=30).read().decode()
            except urllib.error.URLError as error:
                there = type(error.reason).__name__
            report(ok=ok, there=there)""", "--allow", "api.test:80,81")
        self.assertEqual(result.reported, {"ok": "public /fine", "there": "gaierror"})
        self.assertEqual(self.refused_rows(result, "name")[0]["name"], "other.test")

    def test_large_bodies_both_ways(self):
        said = self.reports("""
            body = bytes(range(256)) * 16384
            head = "POST /up HTTP/1.1\\r\\nHost: api.test\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
            report(a=talk('api.test', 80, head.encode() + body)[-10:])""", "--allow", "api.test:80")
        self.assertEqual(said, {"a": "public /up"})

    def test_an_upgrade(self):
        said = self.reports("""
            with socket.create_connection(('api.test', 80), timeout=30) as s:
                s.sendall(b"GET /ws HTTP/1.1\\r\\nHost: api.test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n")
                head = b""
                while b"\\r\\n\\r\\n" not in head:
                    head += s.recv(100)
                s.sendall(b"\\x81\\x05hello GET / HTTP/1.1\\r\\nHost: in.a.frame\\r\\n\\r\\n")
                report(head=head.decode()[:12], frame=s.recv(100).decode('latin-1')[2:7])""", "--allow", "api.test:80")
        self.assertEqual(said, {"head": "HTTP/1.1 101", "frame": "hello"})

    def test_any_sni_lets_any_host_be_named(self):
        said = self.reports("report(a=get('api.test', 80, 'whoever'))", "--allow", "api.test:80:any-sni")
        self.assertEqual(said, {"a": "public /"})


class Tls(NetworkCase):
    def setUp(self):
        super().setUp()
        openssl = harness.need("openssl")
        key, self.ca = self.path("key.pem"), self.path("ca.pem")
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.ca, "-days",
                        "2", "-subj", "/CN=test", "-addext", "subjectAltName=DNS:api.test,DNS:other.test"], check=True,
                       stderr=subprocess.DEVNULL)
        with open(key) as a, open(self.ca) as b:
            chain = self.write("chain.pem", a.read() + b.read())
        self.net.ask(serve={"kind": "echo", "address": OTHER, "port": 443, "cert": chain, "records": True})

    def run_tls(self, code, *options):
        return self.run_net(TLS_PRELUDE + harness.textwrap.dedent(code), *options, "--bind", self.ca, args=(self.ca,))

    def test_the_name_must_be_the_asked_one(self):
        result = self.run_tls("""
            report(good=tls('other.test', 'other.test'), case=tls('Other.TEST', 'OTHER.test'),
                   front=attempt(tls, 'other.test', 'api.test'), none=attempt(tls, 'other.test', None))""",
                              "--allow", "other.test")
        said = result.reported
        self.assertEqual((said["good"], said["case"]), ("ping", "ping"))
        self.assertEqual((said["front"], said["none"]), ("ECONNRESET", "ECONNRESET"))
        rows = {row["named"]: row for row in self.refused_rows(result, "tls")}
        self.assertEqual(rows["api.test"]["allowed_by"], "--allow other.test:any-sni")
        self.assertIn("names no host", rows[None]["why"])
        self.assertEqual([what[2] for what in self.net.seen() if what[0] == "got"], ["ping", "ping"])

    def test_any_sni(self):
        said = self.run_tls("report(a=tls('other.test', 'api.test'))", "--allow", "other.test:any-sni").reported
        self.assertEqual(said, {"a": "ping"})

    def test_a_hello_in_pieces_and_a_broken_one(self):
        result = self.run_tls("""
            def slowly():
                context = ssl.create_default_context(cafile=sys.argv[1])
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                s = context.wrap_bio(incoming, outgoing, server_hostname='other.test')
                with socket.create_connection(('other.test', 443), timeout=30) as raw:
                    while True:
                        try:
                            s.do_handshake()
                            break
                        except ssl.SSLWantReadError:
                            data = outgoing.read()
                            for i in range(0, len(data), 40):
                                raw.sendall(data[i:i + 40])
                                time.sleep(0.01)
                            incoming.write(raw.recv(65536))
                    return s.version()[:3]
            report(slow=slowly(), broken=attempt(talk, 'other.test', 443, b"\\x16\\3\\1\\0\\4\\1\\0\\0\\0" + b"x" * 50),
                   cut=attempt(talk, 'other.test', 443, b"\\x16\\3\\1\\2\\0\\1\\0\\1"))""", "--allow", "other.test")
        self.assertEqual(result.reported, {"slow": "TLS", "broken": "ECONNRESET", "cut": "ECONNRESET"})


class Bytes(NetworkCase):
    SERVERS = NetworkCase.SERVERS + [{"kind": "sink", "address": PUBLIC, "port": 9},
                                     {"kind": "source", "address": PUBLIC, "port": 19, "bytes": 32 << 20},
                                     {"kind": "reset", "address": PUBLIC, "port": 99}]

    def test_a_server_that_speaks_first_is_heard_first(self):
        said = self.reports("""
            with socket.create_connection(('api.test', 25), timeout=30) as s:
                first = s.recv(100).decode()
                s.sendall(b"HELO")
                report(first=first, then=s.recv(100).decode())""", "--allow", "api.test:25")
        self.assertEqual(said, {"first": "220 ready\r\n", "then": "HELO"})

    def test_streams_and_half_closes(self):
        said = self.reports("""
            import hashlib
            up = talk('api.test', 9, b"\\0" * (24 << 20))
            digest = hashlib.sha256()
            with socket.create_connection(('api.test', 19), timeout=30) as s:
                # A reader that stalls: nobody holds what it does not take.
                time.sleep(0.3)
                n = 0
                while True:
                    data = s.recv(65536)
                    if not data:
                        break
                    n += len(data)
                    digest.update(data)
            report(up=int(up), down=n, same=digest.hexdigest() == hashlib.sha256(bytes(range(256)) * 256 * 512).hexdigest(),
                   reset=attempt(talk, 'api.test', 99, 'x', False))""", "--allow", "api.test:9,19,99")
        self.assertEqual(said, {"up": 24 << 20, "down": 32 << 20, "same": True, "reset": "ECONNRESET"})

    def test_many_connections(self):
        result = self.run_net("""
            import asyncio
            async def one(i):
                r, w = await asyncio.open_connection('api.test', 7)
                w.write(b'%d' % i)
                await w.drain()
                answer = await r.read(100)
                await gate.wait()
                w.close()
                return answer == b'%d' % i
            async def main():
                global gate
                gate = asyncio.Event()
                tasks = [asyncio.create_task(one(i)) for i in range(700)]
                done = 0
                while sum(t.done() for t in tasks) == 0 and done < 100:
                    await asyncio.sleep(0.1)
                    done += 1
                gate.set()
                return sum(await asyncio.gather(*tasks))
            report(ok=asyncio.run(main()))""", "--allow", "api.test:7", "--nofile", "1024")
        self.assertEqual(result.reported, {"ok": 700})
        self.assertEqual(result.verdict["network"]["connections"], 700)

    def test_clients_that_never_finish(self):
        """Half a request, half a hello, nothing at all, and garbage to the name server: others go on."""
        said = self.reports("""
            held = []
            for text in (b"GET / HTTP/1.1\\r\\nHost: api", b"\\x16\\3\\1\\2\\0\\1", b"", b"GET"):
                for _ in range(20):
                    s = socket.create_connection(('api.test', 80), timeout=30)
                    s.sendall(text)
                    held.append(s)
            for _ in range(30):
                s = socket.create_connection(('198.18.0.1', 53), timeout=30)
                s.sendall(b"\\xff\\xff" + b"x" * 100)
                held.append(s)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                for n in range(200):
                    u.sendto(bytes(range(n)), ('198.18.0.1', 53))
            report(other=get('api.test'), name=talk('both.test', 7, 'x'))""", "--allow", "api.test:80", "--allow",
                            "both.test:7")
        self.assertEqual(said, {"other": "public /", "name": "x"})

    def test_the_task_takes_a_port_before_the_gate(self):
        """It hears itself, and is told."""
        result = self.run_net("""
            mine = socket.socket()
            mine.bind(('0.0.0.0', 7))
            mine.listen()
            def serve():
                c = mine.accept()[0]
                c.sendall(b'mine')
                c.close()
            threading.Thread(target=serve, daemon=True).start()
            report(a=talk('api.test', 7, ''), b=get('api.test'))""", "--allow", "api.test:7,80")
        self.assertEqual(result.reported, {"a": "mine", "b": "public /"})
        self.assertEqual([(row["name"], row["port"]) for row in self.refused_rows(result, "busy")], [("api.test", 7)])

    def test_budgets_of_bytes(self):
        result = self.run_net("report(a=attempt(talk, 'api.test', 9, b'x' * (1 << 20)), b=get('both.test'))", "--allow",
                              "api.test:9", "--allow", "both.test:80", "--net-bytes", "api.test=64K")
        self.assertEqual(result.reported["b"], "public /")
        self.assertIn(result.reported["a"], ("ECONNRESET", "EPIPE"))
        self.assertEqual(self.refused_rows(result, "net-bytes")[0]["name"], "api.test")
        host = [h for h in result.verdict["network"]["hosts"] if h["host"] == "api.test"][0]
        self.assertLessEqual(host["sent"] + host["received"], 64 << 10)

    def test_budgets_of_connections(self):
        result = self.run_net("""
            held = [socket.create_connection(('api.test', 7), timeout=30) for _ in range(2)]
            for s in held:
                s.sendall(b'x')
                s.recv(1)
            third = attempt(talk, 'api.test', 7, 'x')
            for s in held:
                s.close()
            end = time.monotonic() + 40
            while (again := attempt(talk, 'api.test', 7, 'x')) != 'x' and time.monotonic() < end:
                time.sleep(0.05)
            report(third=third, again=again)""", "--allow", "api.test:7", "--net-connections", "2")
        self.assertEqual(result.reported, {"third": "ECONNRESET", "again": "x"})

    def test_a_rate(self):
        result = self.run_net("""
            start = time.monotonic()
            n = talk('api.test', 9, b'x' * 300000)
            report(n=int(n), slow=time.monotonic() - start > 0.5)""", "--allow", "api.test:9", "--net-rate", "300000")
        self.assertEqual(result.reported, {"n": 300000, "slow": True})


class Life(NetworkCase):
    def test_the_log_and_the_envelope(self):
        log = self.path("net.jsonl")
        self.run_net("""
            get('api.test', path='/p?token=secret')
            talk('api.test', 7, 'ping')
            attempt(get, 'nowhere.test')""", "--allow", "api.test:80,7", "--net-log", log)
        with open(log) as f:
            lines = [json.loads(line) for line in f]
        self.assertNotIn("secret", json.dumps(lines))
        by = {(line["event"], line.get("port")): line for line in lines}
        self.assertEqual((by["request", 80]["method"], by["request", 80]["path"]), ("GET", "/p"))
        echo = by["connection", 7]
        self.assertEqual((echo["name"], echo["address"], echo["sent"], echo["received"], echo["verdict"]),
                         ("api.test", PUBLIC, 4, 4, "closed"))
        self.assertEqual(by["refused", None]["name"], "nowhere.test")
        path = self.write("task.py", PRELUDE + "get('api.test', path='/p?token=secret')\ntalk('api.test', 7, 'x')\n")
        argv = self.argv("--json", "--allow", "api.test:80,7", path)
        status, out, _ = self.net.run(argv, self.tmp, harness.PATIENCE)
        envelope = json.loads(out)
        validator = schema.Validator(schema.load("envelope.schema.json"), schema.load("verdict.schema.json"))
        self.assertEqual((status, validator.errors(envelope)), (0, []))
        self.assertEqual([(r["method"], r["url"]) for r in envelope["execution"]["host_requests"]],
                         [("GET", "http://api.test/p"), (None, "tcp://api.test:7")])

    def test_a_log_where_the_task_writes_is_refused(self):
        code, _, err = self.net.run(self.argv("--allow", "api.test", "--net-log", os.path.join(self.dir, "log"), "-c",
                                              "pass"), self.tmp, harness.PATIENCE)
        self.assertEqual(code, 125)
        self.assertIn("lies where the task can write", harness.decode(err))

    def test_a_task_without_allow_has_no_gate(self):
        said = self.reports("""
            import os
            report(net=[line.split()[0] for line in open('/proc/net/route')][1:], resolv='198.18' in open('/etc/resolv.conf').read(),
                   other=attempt(get, 'api.test'))""")
        self.assertEqual(said, {"net": [], "resolv": False, "other": "gaierror -3"})

    def test_the_gate_dies_and_so_does_the_run(self):
        """And the other way round: it does not outlive a supervisor that was killed."""
        for victim in ("gate", "supervisor"):
            with self.subTest(victim):
                log = self.path("out")
                with open(log, "w") as out:
                    process = subprocess.Popen(self.argv("--allow", "127.0.0.1:1", "-c",
                                                         "print('up', flush=True); import time; time.sleep(300)"),
                                               stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, cwd=self.tmp)
                self.addCleanup(process.stderr.close)
                harness.wait_until(lambda: "up" in self.read("out"), "the task")
                gate, = [pid for pid in harness.marked_processes("capsule-gate")
                         if parent_of(pid) == process.pid]
                os.kill(gate if victim == "gate" else process.pid, signal.SIGKILL)
                process.wait(harness.PATIENCE)
                if victim == "gate":
                    self.assertEqual(process.returncode, 125)
                    self.assertIn("carries the task's connections has died", process.stderr.read().decode())
                harness.wait_until(lambda pid=gate: not os.path.exists("/proc/%d" % pid)
                                   or state_of(pid) == "Z", "the gate's end")

    def test_what_the_gate_may_do(self):
        """No capability, a filter, no_new_privs, no file, no process: as /proc tells of it."""
        process = self.start("--allow", "127.0.0.1:1", "-c", "print('up', flush=True); import time; time.sleep(300)")
        self.assertEqual(process.stdout.readline(), b"up\n")
        gate, = [pid for pid in harness.marked_processes("capsule-gate") if parent_of(pid) == process.pid]
        with open("/proc/%d/status" % gate) as f:
            status = dict(line.split(":", 1) for line in f)
        self.assertEqual({status[key].strip() for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))
        self.assertEqual(status["Uid"].split()[1], str(harness.task_uid()))
        if harness.ROOT:
            self.assertEqual(os.listdir("/proc/%d/root/" % gate), [])


class Usage(harness.Case):
    def test_what_is_not_understood(self):
        for options, words in ((["--allow", "a..b"], ["--allow a..b", "accepted: HOST"]),
                               (["--allow", "http://a"], ["--allow http://a"]),
                               (["--allow", "b\u00fccher.example"], ["xn--"]),
                               (["--allow", "localhost:80"], ["127.0.0.1"]),
                               (["--allow", "a:1-65535"], ["1024 ports"]),
                               (["--allow", "a", "--net-bytes", "b=1M"], ["--net-bytes b=1M", "no --allow"]),
                               (["--net-rate", "fast"], ["--net-rate fast", "accepted"]),
                               (["--allow", "a", "--filter", "strict"], ["--filter"]),
                               (["--allow-file", "/nonexistent"], ["--allow-file /nonexistent"])):
            with self.subTest(options):
                self.refused(self.run_capsule("-q", *options, "-c", "pass"), *words, status=2)
        path = self.write("hosts", "a.test\nb.test:x\n")
        self.refused(self.run_capsule("-q", "--allow-file", path, "-c", "pass"), path + ":2: ", status=2)

    def test_an_empty_file_allows_nothing(self):
        path = self.write("hosts", "# none\n")
        self.says("import socket\ntry:\n socket.create_connection(('192.0.2.1', 443))\nexcept OSError as e:\n print(e.errno)",
                  "101", opts=("--allow-file", path))


def parent_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def state_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


if __name__ == "__main__":
    unittest.main()
