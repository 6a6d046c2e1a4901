"""What somebody with a socket and bad manners sends: just enough of HTTP/2, by hand."""

import re
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW_MAX = 2**31 - 1


def connect(address):
    """A stream to "host:port" or "unix-abstract:NAME"."""
    if address.startswith("unix-abstract:"):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(10)
        line.connect("\0" + address.partition(":")[2])
        return line
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


def begin_call(method):
    """The first frames of a connection and of its first call."""
    def literal(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    headers = b"".join(literal(*field) for field in [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", method.encode()),
        (b":authority", b"x"), (b"te", b"trailers"), (b"content-type", b"application/grpc")])
    window = struct.pack(">HI", 4, WINDOW_MAX)  # SETTINGS_INITIAL_WINDOW_SIZE
    return (PREFACE + frame(SETTINGS, 0, 0, window)
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_MAX - 65535))
            + frame(HEADERS, END_HEADERS, 1, headers))


def message(payload, length=None, flags=0):
    """A gRPC message; `length`: what it says of itself, where that is a lie."""
    size = len(payload) if length is None else length
    return frame(DATA, flags, 1, b"\0" + size.to_bytes(4, "big") + payload)


def frames(line):
    """What comes, as (kind, flags, stream, payload), until the connection ends."""
    found = b""
    while True:
        while len(found) < 9 or len(found) < 9 + int.from_bytes(found[:3], "big"):
            try:
                more = line.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                return
            if not more:
                return
            found += more
        size = int.from_bytes(found[:3], "big")
        head, payload, found = found[:9], found[9:9 + size], found[9 + size:]
        yield head[3], head[4], int.from_bytes(head[5:], "big"), payload


def answer(line):
    """All the DATA, and all the HEADERS, until the call or the connection ends."""
    data, headers = b"", b""
    for kind, flags, _, payload in frames(line):
        if kind == DATA:
            data += payload
        elif kind == HEADERS:
            headers += payload
        if kind in (RESET, GOAWAY) or kind in (DATA, HEADERS) and flags & END_STREAM:
            break
    return data, headers


def call_with_long_message(address, method, size):
    """Sends `size` bytes as fast as it is allowed to; how many the other end took."""
    sent = 0
    with connect(address) as line:
        line.sendall(begin_call(method) + message(b"", length=size))
        windows = [65535 - 5, 65535 - 5]  # the connection's, the call's
        for kind, flags, stream, payload in frames(line):
            if kind in (HEADERS, RESET, GOAWAY):  # it has been answered, or cut off
                return sent
            if kind == WINDOW_UPDATE:
                windows[stream] += int.from_bytes(payload, "big")
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    name, value = struct.unpack_from(">HI", payload, at)
                    if name == 4:  # SETTINGS_INITIAL_WINDOW_SIZE
                        windows[1] += value - 65535
            while sent < size and min(windows) > 0:
                part = min(16384, size - sent, *windows)
                line.sendall(frame(DATA, 0, 1, bytes(part)))
                windows[:] = [window - part for window in windows]
                sent += part
        return sent


def call(address, method, *messages):
    with connect(address) as line:
        line.sendall(begin_call(method) + b"".join(messages))
        return answer(line)


def field(number, value):
    """One field of a protobuf: bytes, or a text."""
    value = value.encode() if isinstance(value, str) else value
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def token_in(data):
    """The first Token of a message, as its bytes."""
    return re.search(rb"\x09.{8}\x11.{8}", data, re.DOTALL)[0]
