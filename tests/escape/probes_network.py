"""The network and the IPC of the host: out of reach."""


@probe(("ECONNREFUSED", "ENETUNREACH"), canary="tcp")
def connect_to_a_listener_on_loopback(canary):
    def attempt(family, address):
        with socket.socket(family) as s:
            s.connect((address, canary["tcp"]))
            return "connected"
    return first_success(lambda: attempt(socket.AF_INET, "127.0.0.1"), lambda: attempt(socket.AF_INET, "0.0.0.0"),
                         lambda: attempt(socket.AF_INET6, "::ffff:127.0.0.1"), lambda: attempt(socket.AF_INET, "127.1.2.3"))


@probe(("ECONNREFUSED", "ENETUNREACH", "EPERM", "nothing"), canary="udp", host_check="no_datagram")
def send_a_datagram(canary):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"CANARY", ("127.0.0.1", canary["udp"]))
    # Inside it goes nowhere; the host side looks.
    return "sent" if os.getpid() != 2 else None


@probe("ECONNREFUSED", canary="unix")
def connect_to_an_abstract_socket(canary):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(canary["abstract"])
        return "connected"


@probe("ENOENT", canary="unix")
def connect_to_a_socket_in_the_file_system(canary):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(canary["path"])
        return "connected"


@probe("nothing", canary="unix")
def see_sockets_of_others(canary):
    with open("/proc/net/unix") as f:
        return "listed" if "capsule-canary" in f.read() else None


@probe("ENETUNREACH")
def find_a_route(canary):
    """Connecting a datagram socket asks for a route and sends nothing."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("192.0.2.1", 9))
            return "routed from %s" % s.getsockname()[0]
    except OSError as error:
        if os.getppid() != 1 and error.errno == errno.ENETUNREACH:
            raise Undecided("this machine has no route either")
        raise


def open_socket(*args):
    socket.socket(*args).close()
    return "socket%r" % (args,)


@probe("EPERM", control="namespaces")
def packet_socket(canary):
    return open_socket(17, socket.SOCK_RAW, socket.htons(3))


@probe("EPERM", control="namespaces")
def raw_socket(canary):
    return first_success(lambda: open_socket(socket.AF_INET, socket.SOCK_RAW, 1), lambda: open_socket(socket.AF_INET6,
                                                                                                       socket.SOCK_RAW, 58))


@probe("EPERM", control="namespaces")
def raw_socket_with_high_type_bits(canary):
    return "raw" if call(41 if X86_64 else 198, 2 | 1 << 40, 3 | 0o2000000, 1) >= 0 else None


@probe("EPERM", control="namespaces")
def netfilter_netlink(canary):
    try:
        return open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise Undecided("this kernel has no netfilter netlink")
        raise


@probe("EPERM")
def generic_netlink(canary):
    return open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)


@probe("EPERM")
def uevent_netlink(canary):
    return open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)


@probe("EPERM")
def audit_netlink(canary):
    return first_success(lambda: open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 9),
                         lambda: open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))


@probe("EPERM")
def crypto_socket(canary):
    try:
        return open_socket(38, socket.SOCK_SEQPACKET, 0)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Undecided("this kernel has no AF_ALG")
        raise


@probe("EPERM")
def virtual_machine_socket(canary):
    try:
        return open_socket(40, socket.SOCK_STREAM, 0)
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.ENODEV, errno.ESOCKTNOSUPPORT):
            raise Undecided("this kernel has no AF_VSOCK")
        raise


@probe("EPERM", no_control="which families a kernel has differs; packet_socket and others show that the probe can escape")
def other_families(canary):
    allowed = []
    for family in range(46):
        if family in (1, 2, 10, 16):
            continue
        for kind in (1, 2, 3, 5):
            try:
                allowed.append(open_socket(family, kind, 0))
            except OSError as error:
                if error.errno != errno.EPERM:
                    allowed.append("family %d: %s" % (family, errno.errorcode[error.errno]))
    if allowed:
        return allowed[:5]
    raise OSError(errno.EPERM, "all")


@probe("EPERM")
def other_protocols(canary):
    """Multipath TCP, UDP-Lite, SCTP, DCCP: code that only exploits would reach."""
    try:
        return first_success(lambda: open_socket(socket.AF_INET, socket.SOCK_STREAM, 262),
                             lambda: open_socket(socket.AF_INET, socket.SOCK_DGRAM, 136),
                             lambda: open_socket(socket.AF_INET, socket.SOCK_STREAM, 132))
    except Contained:
        if os.getppid() != 1:
            raise Undecided("this kernel has none of them")
        raise


@probe("EPERM", control="namespaces")
def change_the_interfaces(canary):
    """RTM_NEWLINK on lo, down: netlink is open for questions only."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        body = struct.pack("=BBHiII", 0, 0, 0, 1, 0, 1)
        s.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        code = struct.unpack("=i", s.recv(4096)[16:20])[0]
        if code:
            raise OSError(-code, os.strerror(-code))
        return "lo is down"


@probe("EPERM")
def system_v_shared_memory(canary):
    segment = call("shmget", 0, 4096, 0o1600)
    LIBC.shmctl(ctypes.c_int(segment), 0, None)
    return "segment"


@probe("EPERM")
def system_v_messages(canary):
    queue = call("msgget", 0, 0o1600)
    LIBC.msgctl(ctypes.c_int(queue), 0, None)
    return "queue"


@probe("EPERM")
def system_v_semaphores(canary):
    semaphores = call("semget", 0, 1, 0o1600)
    LIBC.semctl(ctypes.c_int(semaphores), 0, 0)
    return "semaphores"


@probe("EPERM")
def posix_message_queue(canary):
    name = b"capsule-probe-%d" % os.getpid()
    fd = call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o600, None)
    os.close(fd)
    call(241 if X86_64 else 181, name)
    return "queue"


@probe("nothing", canary="shm")
def see_shared_memory_of_the_host(canary):
    return [n for n in os.listdir("/dev/shm") if "capsule-canary" in n]
