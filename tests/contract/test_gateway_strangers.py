"""The JSON gateway, as strangers and slow clients meet it: everything is bounded."""

import contextlib
import os
import socket
import time

import pytest

from hearth_process import wait_until
from http_gateway import EXAMPLES, Gateway, Serving, everything, request, status_of

pytestmark = pytest.mark.skipif(not (EXAMPLES / "example_thermostat").is_file(),
                                reason="the examples were not built")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway("--state-dir", str(tmp_path_factory.mktemp("state"))) as server:
        with Serving(server.address, "thermostat"):
            yield server


@pytest.mark.parametrize("data, status", [
    (b"GET\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n\r\n", 400),
    (b"GET http://x/objects HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /\x80 HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET / HTTP/1.1\nHost: x\n\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
    (b"GET / HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: identity\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\nContent-Length: 4\r\n\r\n", 411),
    (b"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nConnection:\r\nConnection: close\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n", 417),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 20000, 431),
])
def test_what_is_no_request_is_refused_and_hung_up_on(gateway, data, status):
    assert status_of(gateway.send(data)) == status
    assert gateway.call("hall", "target") is not None


def test_who_was_refused_and_stays_costs_no_time(gateway):
    with contextlib.ExitStack() as stack:
        before = gateway.cpu_seconds
        for _ in range(5):
            sock = stack.enter_context(gateway.socket())
            sock.sendall(b"GET /objects HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(everything(sock)) == 401
            sock.shutdown(socket.SHUT_WR)
        time.sleep(2.5)
        assert gateway.cpu_seconds - before < 1


def test_a_head_without_end_costs_no_memory(gateway):
    before = gateway.rss
    for _ in range(4):
        assert status_of(gateway.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 2**25)) == 431
    assert gateway.rss - before < 16 * 2**20


def test_a_stranger_with_a_large_body_is_refused_before_it(gateway):
    with gateway.socket() as sock:
        sock.sendall(b"POST /objects/hall/hold HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 8000000\r\n\r\n")
        assert status_of(everything(sock)) == 401


def test_an_expected_continue_is_said(gateway):
    with gateway.socket() as sock:
        whole = request("POST", "/objects/hall/fahrenheit", gateway.token, b"[1]", keep=False,
                        Expect="100-continue")
        sock.sendall(whole[:-3])
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(whole[-3:])
        assert status_of(everything(sock)) == 200


def test_an_old_client_gets_items_until_the_end_of_the_connection(gateway):
    answer = gateway.send(request("POST", "/objects/hall/readings", gateway.token, b"[3]",
                                  version="1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head and b"Connection: close" in head
    assert body == b"20.0\n20.5\n21.0\n"


def test_idle_clients_cost_no_thread_and_nobody_waits_for_them(gateway):
    gateway.call("hall", "target")
    before = gateway.threads
    with contextlib.ExitStack() as stack:
        for i in range(1000):
            sock = stack.enter_context(gateway.socket())
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"GET /objects HTTP/1.1\r\nHost:"[:i % 30])
        begin = time.monotonic()
        for _ in range(10):
            assert gateway.call("hall", "target") is not None
        assert time.monotonic() - begin < 2
        assert gateway.threads <= before + 2
        assert len(os.listdir(f"/proc/{gateway.process.pid}/fd")) < 700


def test_who_is_too_slow_with_his_head_is_hung_up_on(gateway):
    with gateway.socket() as sock:
        begin = time.monotonic()
        answer = b""
        sock.settimeout(1)
        for letter in b"GET /objects HTTP/1.1\r\nHost: 127.0.0.1\r\n" * 10:
            try:
                sock.sendall(bytes([letter]))
                answer = sock.recv(1000)
                break
            except TimeoutError:
                continue
        assert status_of(answer) == 408
        assert 8 < time.monotonic() - begin < 15


def test_more_calls_than_it_runs_are_told_to_come_again(gateway):
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            sock = stack.enter_context(gateway.socket())
            sock.sendall(request("POST", "/objects/hall/hold", gateway.token, b"[30]"))
        wait_until(lambda: gateway.ask("GET", "/objects")[0] == 503)
        status, headers, answer = gateway.ask("GET", "/objects")
        assert status == 503 and headers["Retry-After"] == "1"
        assert answer["error"]["type"] == "queue-full"
    wait_until(lambda: gateway.ask("GET", "/objects")[0] == 200)


def test_it_ends_at_once_while_calls_run(tmp_path):
    with Gateway("--state-dir", str(tmp_path)) as server:
        with Serving(server.address, "thermostat"):
            socks = [server.socket() for _ in range(3)]
            for sock in socks:
                sock.sendall(request("POST", "/objects/hall/hold", server.token, b"[30]"))
            wait_until(lambda: server.call("hall", "begun") == 3, 10, "their calls")
            begin = time.monotonic()
            server.process.terminate()
            server.process.wait(20)
            assert time.monotonic() - begin < 5
            for sock in socks:
                answer = everything(sock)
                assert status_of(answer) == 503 and b'"cluster-ended"' in answer, answer
                sock.close()
            server.killed = True
