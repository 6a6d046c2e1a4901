"""`hearth coordinator --http`, and clients of it: polite ones and others."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import urllib.parse

from hearth_process import BINARY, Server, environment

EXAMPLES = BINARY.parent / "examples" / "objects"


class Gateway(Server):
    def __init__(self, *arguments, **where):
        super().__init__("coordinator", "--http", "127.0.0.1:0", *arguments, **where)
        self.host, self.port = urllib.parse.urlsplit(self.ready["http"]).netloc.split(":")
        path = self.ready["http_token"]
        self.token = pathlib.Path(path).read_text().strip() if path else None

    def connect(self, timeout=30):
        return http.client.HTTPConnection(self.host, int(self.port), timeout=timeout)

    def ask(self, method, path, body=None, token=True, **headers):
        """Status, headers and JSON of one request, on a connection of its own."""
        if token and self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(self.connect()) as connection:
            text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    def call(self, name, method, arguments=None, status=200, **headers):
        found, _, answer = self.ask("POST", f"/objects/{name}/{method}", arguments, **headers)
        assert found == status, answer
        return answer["result"] if status == 200 else answer.get("error", answer)

    def socket(self):
        return socket.create_connection((self.host, int(self.port)), timeout=30)

    def send(self, data):
        """What comes back for bytes, until the gateway hangs up."""
        with self.socket() as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            return everything(sock)

    @property
    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    @property
    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


def everything(sock):
    found = b""
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            found += part
    return found


class Serving:
    """An example that serves an object, in a process of its own."""

    def __init__(self, address, name, *more):
        self.process = subprocess.Popen(
            [EXAMPLES / f"example_{name}", address, *more], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment())
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=20)


def request(method, path, token, body=b"", keep=True, version="1.1", **headers):
    lines = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1",
             f"Authorization: Bearer {token}", f"Content-Length: {len(body)}",
             f"Connection: {'keep-alive' if keep else 'close'}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])
