#!/usr/bin/env capsule-run
"""What a task that looks around is answered. Harmless: run it outside as well, and compare."""
import os
import socket
import subprocess


def attempt(what, action):
    try:
        print("%-34s %s" % (what, action()))
    except OSError as error:
        print("%-34s %s" % (what, error.strerror or error))


def connect():
    with socket.create_connection(("192.0.2.1", 443), timeout=2):
        return "connected"


def spawn():
    return subprocess.run(["sh", "-c", "echo a shell ran"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


attempt("accounts in /etc/passwd:", lambda: sum(1 for _ in open("/etc/passwd")))
attempt("entries of /home:", lambda: len(os.listdir("/home")))
attempt("processes in /proc:", lambda: sum(name.isdigit() for name in os.listdir("/proc")))
attempt("environment variables:", lambda: len(os.environ))
attempt("network interfaces:", lambda: ", ".join(name for _, name in socket.if_nameindex()))
attempt("connect to 192.0.2.1:", connect)
attempt("write to /usr:", lambda: open("/usr/nosy", "w").close())
attempt("chown a file to root:", lambda: [open("nosy", "w").close(), os.chown("nosy", 0, 0)] and "done")
attempt("change the host's name:", lambda: socket.sethostname("nosy"))
attempt("start a subprocess:", spawn)
attempt("uid, working directory:", lambda: "%d, %s" % (os.getuid(), os.getcwd()))
