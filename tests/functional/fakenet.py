"""A network of its own for tests: every address is this machine's, and a name server answers as the test wants.

    python3 fakenet.py      speaks JSON lines on 0 and 1; see Net below

The process makes a network and a mount namespace (as an ordinary user below a user namespace in which it keeps its
uid), puts files over /etc/resolv.conf and /etc/hosts, and serves. Programs that it is told to run are in there, too.
Nothing leaves the machine: there is no other interface than lo.
"""
import base64
import ctypes
import fcntl
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

NAME_SERVER = "127.0.0.54"
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None, use_errno=True)


class Net:
    """The test's side: starts the process, and asks it."""

    def __init__(self, case, **config):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        case.addCleanup(self.end)
        config.setdefault("tmp", case.tmp)
        self.ask(**config)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the network has ended")
        answer = json.loads(line)
        if "failed" in answer:
            raise AssertionError(answer["failed"])
        return answer

    def run(self, argv, cwd, timeout, env=None):
        """(status, stdout, stderr); status None: it hangs."""
        answer = self.ask(run=argv, cwd=cwd, timeout=timeout, env=env)
        return answer["status"], base64.b64decode(answer["out"]), base64.b64decode(answer["err"])

    def seen(self):
        """What the servers have seen so far: ["dns", NAME, TYPE], ["accept", SERVER], ["got", SERVER, TEXT]."""
        return self.ask(seen=True)["seen"]

    def answers(self, **names):
        self.ask(names={key.replace("__", "."): value for key, value in names.items()})


# -- the other side

SEEN = []
NAMES = {}
LOCK = threading.Lock()


def saw(*what):
    with LOCK:
        SEEN.append(list(what))


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def netlink_request(kind, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("=IHHII", 16 + len(body), kind, 0x405, 1, 0) + body)
        answer = s.recv(4096)
    code = struct.unpack_from("=i", answer, 16)[0]
    if code != 0:
        raise OSError(-code, "netlink: " + os.strerror(-code))


def enter(config):
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWNET | (0 if uid == 0 else CLONE_NEWUSER)
    check(LIBC.unshare(flags), "unshare")
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)), ("gid_map", "%d %d 1" % (gid, gid))):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    check(LIBC.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount")
    place = tempfile.mkdtemp(prefix="net.", dir=config["tmp"])
    os.chmod(place, 0o755)
    for name, text in (("resolv.conf", config.get("resolv", "nameserver %s\noptions timeout:1 attempts:2\n" % NAME_SERVER)),
                       ("hosts", config.get("hosts", "127.0.0.1 localhost\n"))):
        path = os.path.join(place, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        check(LIBC.mount(path.encode(), os.path.realpath("/etc/" + name).encode(), None, ctypes.c_ulong(MS_BIND), None),
              "mount " + name)
    # lo up; all addresses are its own.
    netlink_request(16, struct.pack("=BxHiII", 0, 0, 1, 1, 1))
    for family, size in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        for first in (0, 0x80):
            to = struct.pack("=HH", 4 + size, 1) + bytes([first]) + bytes(size - 1)
            out = struct.pack("=HHI", 8, 4, 1)
            netlink_request(24, struct.pack("=BBBBBBBBI", family, 1, 0, 0, 255, 3, 254, 2, 0) + to + out)


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def dns_records(name, kind):
    """(rcode, records) for one question: a list of (owner, type, ttl, data)."""
    entry = NAMES.get(name)
    if entry is None:
        return 3, []
    if isinstance(entry, list):
        entry = {"addresses": entry}
    if "turns" in entry:
        addresses = entry["turns"].pop(0) if len(entry["turns"]) > 1 else entry["turns"][0]
        # The two questions for one name get the same answer.
        if kind == 28:
            entry["turns"].insert(0, addresses)
            addresses = []
    else:
        addresses = entry.get("addresses", [])
    if "cname" in entry:
        rcode, records = dns_records(entry["cname"], kind)
        return rcode, [(name, 5, entry.get("ttl", 0), encode_name(entry["cname"]))] + records
    records = []
    for address in addresses:
        is6 = ":" in address
        if (kind == 28) == is6 and kind in (1, 28):
            records.append((name, kind, entry.get("ttl", 0), socket.inet_pton(socket.AF_INET6 if is6 else socket.AF_INET,
                                                                               address)))
    return entry.get("rcode", 0), records


def dns_answer(msg, tcp):
    labels, at = [], 12
    while msg[at]:
        labels.append(msg[at + 1:at + 1 + msg[at]].decode("latin-1"))
        at += 1 + msg[at]
    name, kind = ".".join(labels).lower(), struct.unpack_from(">H", msg, at + 1)[0]
    saw("dns", name, kind)
    entry = NAMES.get(name)
    mode = entry.get("mode", "") if isinstance(entry, dict) else ""
    if mode == "silent":
        return None
    if mode == "slow":
        time.sleep(entry.get("delay", 0.3))
    if mode == "garbage":
        return msg[:2] + b"\x81\x80" + b"\xff" * 40
    rcode, records = dns_records(name, kind)
    if mode == "huge":
        records = records * 300
    truncated = 0x0200 if mode == "truncated" and not tcp else 0
    question = msg[12:at + 5]
    out = msg[:2] + struct.pack(">HHHHH", 0x8180 | truncated | rcode, 1, 0 if truncated else len(records), 0, 0) + question
    for owner, rtype, ttl, data in ([] if truncated else records):
        out += encode_name(owner) + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data
    return out if tcp else out[:60000]


def serve_dns_udp(sock):
    def one(msg, peer):
        out = dns_answer(msg, False)
        if out is not None:
            sock.sendto(out, peer)
    while True:
        msg, peer = sock.recvfrom(4096)
        threading.Thread(target=one, args=(msg, peer), daemon=True).start()


def serve_dns_tcp(conn, _):
    while True:
        head = conn.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return
        out = dns_answer(conn.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL), True)
        conn.sendall(struct.pack(">H", len(out)) + out)


def read_head(conn, data=b""):
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return b"", b""
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head, rest


def serve_http(conn, server):
    """Answers each request with server["text"]; knows Content-Length."""
    rest = b""
    while True:
        head, rest = read_head(conn, rest)
        if not head:
            return
        saw("got", server["name"], head.decode("latin-1"))
        length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        want = int(length[0]) if length else 0
        while len(rest) < want:
            more = conn.recv(65536)
            if not more:
                return
            rest += more
        rest = rest[want:]
        line = head.split(b"\r\n")[0].split(b" ")
        extra = server.get("headers", "")
        if b"upgrade: websocket" in head.lower():
            conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            return serve_echo(conn, server)
        body = (server.get("text", "hello") + " " + line[1].decode("latin-1")).encode()
        conn.sendall(("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (server.get("status", "200 OK"), len(body), extra)).encode()
                     + body)


def serve_echo(conn, server):
    while True:
        data = conn.recv(65536)
        if not data:
            conn.shutdown(socket.SHUT_WR)
            return
        if server.get("records", False):
            saw("got", server["name"], data.decode("latin-1"))
        conn.sendall(data)


def serve_banner(conn, server):
    """Speaks first, and then answers lines."""
    conn.sendall(b"220 ready\r\n")
    serve_echo(conn, server)


def serve_sink(conn, server):
    """Takes everything, then tells how much."""
    total = 0
    while True:
        data = conn.recv(1 << 20)
        if not data:
            break
        total += len(data)
    conn.sendall(b"%d" % total)


def serve_source(conn, server):
    block = bytes(range(256)) * 256
    for _ in range(server["bytes"] // len(block)):
        conn.sendall(block)


def serve_reset(conn, server):
    """Sends a little, then resets."""
    conn.sendall(b"x" * 1000)
    conn.recv(1)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


KINDS = {"http": serve_http, "echo": serve_echo, "banner": serve_banner, "sink": serve_sink, "source": serve_source,
         "reset": serve_reset, "dns": serve_dns_tcp}


def serve_one(conn, server):
    saw("accept", server["name"])
    try:
        if server.get("cert"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(server["cert"])
            conn = context.wrap_socket(conn, server_side=True)
        KINDS[server["kind"]](conn, server)
    except OSError:
        pass
    finally:
        conn.close()


def serve(server):
    family = socket.AF_INET6 if ":" in server["address"] else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
    listener.bind((server["address"], server["port"]))
    listener.listen(4096)
    server.setdefault("name", "%s:%d" % (server["address"], server["port"]))

    def loop():
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=serve_one, args=(conn, server), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def run(command):
    process = subprocess.Popen(command["run"], cwd=command["cwd"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=command["env"])
    try:
        out, err = process.communicate(timeout=command["timeout"])
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        status = None
    return {"status": status, "out": base64.b64encode(out).decode(), "err": base64.b64encode(err).decode()}


def start(config):
    enter(config)
    NAMES.update(config.get("names", {}))
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((NAME_SERVER, 53))
    threading.Thread(target=serve_dns_udp, args=(dns,), daemon=True).start()
    serve({"kind": "dns", "address": NAME_SERVER, "port": 53})
    for server in config.get("servers", []):
        serve(server)
    return {}


def main():
    threading.stack_size(256 << 10)
    do = start
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if do is start:
                answer = start(command)
                do = None
            elif "run" in command:
                answer = run(command)
            elif "names" in command:
                NAMES.update(command["names"])
                answer = {}
            elif "serve" in command:
                serve(command["serve"])
                answer = {}
            else:
                with LOCK:
                    answer = {"seen": list(SEEN)}
        except Exception as error:  # the other side reports it
            answer = {"failed": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
