"""What Kubernetes' end-to-end tests run in their pods, as far as the network sees it: serves its name on ports and asks others for theirs.

    agnhost.py NAME tcp:80 udp:81 udp:81@10.0.0.1 ...    each on one socket for both families, as a Go program listens, or at one address

Says "ready", then reads one question a line from stdin, "ID PROTOCOL ADDRESS PORT SECONDS [SOURCE-PORT]", and prints "ID ANSWER": who answered from
where ("name as 10.0.0.1"), REFUSED, RESET, DENIED, TIMEOUT, or the error's name. Questions are asked side by side, each from a socket of its own.
"""
import errno
import os
import socket
import sys
import threading

NAME = sys.argv[1]
SAYING = threading.Lock()


def say(line):
    with SAYING:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def plain(address):
    return address[7:] if address.startswith("::ffff:") else address


def listen(kind, port, address):
    server = socket.socket(socket.AF_INET if "." in address else socket.AF_INET6, kind)
    if not address:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address or "::", port))
    return server


def serve_tcp(server):
    while True:
        connection, client = server.accept()
        with connection:
            try:
                connection.sendall(f"{NAME} as {plain(client[0])}".encode())
            except OSError:
                pass


def serve_udp(server):
    while True:
        try:
            question, client = server.recvfrom(65535)
            # As long as the question where that is long, which makes fragments both ways.
            answer = f"{NAME} as {plain(client[0])}"
            server.sendto(answer.ljust(len(question)).encode(), client)
        except OSError:
            pass  # an ICMP error about an earlier answer


def ask(protocol, address, port, seconds, source):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as s:
        s.settimeout(seconds)
        if source:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", source))
        s.connect((address, port))
        if protocol == "tcp":
            return s.recv(65535).decode() or "EMPTY"
        s.send(b"hostname" if protocol == "udp" else b"h" * 2000)
        return s.recv(65535).decode().strip()


def answer(number, protocol, address, port, seconds, source="0"):
    try:
        said = ask(protocol, address, int(port), float(seconds), int(source))
    except (TimeoutError, socket.timeout):
        said = "TIMEOUT"
    except ConnectionRefusedError:
        said = "REFUSED"
    except ConnectionResetError:
        said = "RESET"
    except OSError as e:
        denied = e.errno in (errno.EPERM, errno.EACCES, errno.EHOSTUNREACH)
        said = "DENIED" if denied else errno.errorcode.get(e.errno, str(e.errno))
    say(f"{number} {said}")


for what in sys.argv[2:]:
    protocol, where = what.split(":", 1)
    port, _, at = where.partition("@")
    if protocol == "tcp":
        listening = listen(socket.SOCK_STREAM, int(port), at)
        listening.listen(128)
        threading.Thread(target=serve_tcp, args=(listening,), daemon=True).start()
    else:
        threading.Thread(target=serve_udp, args=(listen(socket.SOCK_DGRAM, int(port), at),), daemon=True).start()
say("ready")
for line in sys.stdin:
    threading.Thread(target=answer, args=line.split(), daemon=True).start()
os._exit(0)
