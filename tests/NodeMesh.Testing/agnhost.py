"""What Kubernetes' end-to-end tests run in their pods, as far as the network sees it: serves its name on ports and asks others for theirs.

    agnhost.py NAME tcp:80 udp:81 udp:81@10.0.0.1 ...    each on one socket for both families, as a Go program listens, or at one address

Says "ready", then reads one question a line from stdin, "ID PROTOCOL ADDRESS PORT SECONDS [SOURCE-PORT]", and prints "ID ANSWER": who answered from
where ("name as 10.0.0.1"), REFUSED, RESET, DENIED, TIMEOUT, or the error's name. Questions are asked side by side, each from a socket of its own.
"""
import errno
import os
import random
import socket
import struct
import sys
import threading
import time

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


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_packet(source, target, tag, chunk, own_tag, cookie=b""):
    """INIT (chunk 1) or INIT ACK (2): RFC 9260, 3.3.2 and 3.3.3. The cookie is where an INIT ACK may say anything."""
    if cookie:
        cookie = struct.pack("!HH", 7, 4 + len(cookie)) + cookie.ljust(-(-len(cookie) // 4) * 4, b"\0")
    body = struct.pack("!BBHIIHHI", chunk, 0, 20 + len(cookie), own_tag, 65535, 1, 1, 1) + cookie
    ports = struct.pack("!HHI", source, target, tag)
    return ports + struct.pack("<I", crc32c(ports + b"\0" * 4 + body)) + body


def sctp_read(packet):
    """Of an IPv4 packet: source address, ports, kind of its first chunk, the tag that this opens, the cookie."""
    at = (packet[0] & 15) * 4
    source, target = struct.unpack_from("!HH", packet, at)
    length, tag = struct.unpack_from("!HI", packet, at + 14)
    cookie = packet[at + 36:at + 32 + struct.unpack_from("!H", packet, at + 34)[0]] if length > 20 else b""
    return socket.inet_ntoa(packet[12:16]), source, target, packet[at + 12], tag, cookie


def serve_sctp(port):
    """The first half of the handshake by hand, for kernels without SCTP."""
    server = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    while True:
        client, source, target, chunk, tag, _ = sctp_read(server.recv(65535))
        if target == port and chunk == 1:
            server.sendto(sctp_packet(port, source, tag, 2, 1, f"{NAME} as {client}".encode()), (client, 0))


def ask_sctp(address, port, seconds):
    source = random.randrange(20000, 60000)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP) as s:
        s.sendto(sctp_packet(source, port, 0, 1, 1), (address, 0))
        end = time.monotonic() + seconds
        while True:
            s.settimeout(max(end - time.monotonic(), 0.001))
            server, answering, target, chunk, _, cookie = sctp_read(s.recv(65535))
            if (server, answering, target, chunk) == (address, port, source, 2):
                return cookie.decode()


def ask(protocol, address, port, seconds, source):
    if protocol == "sctp":
        return ask_sctp(address, port, seconds)
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
    elif protocol == "sctp":
        threading.Thread(target=serve_sctp, args=(int(port),), daemon=True).start()
    else:
        threading.Thread(target=serve_udp, args=(listen(socket.SOCK_DGRAM, int(port), at),), daemon=True).start()
say("ready")
for line in sys.stdin:
    threading.Thread(target=answer, args=line.split(), daemon=True).start()
os._exit(0)
