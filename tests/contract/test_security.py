"""Credentials for TCP: who gets in, and what everybody else is told."""

import datetime
import http.client
import os
import pathlib
import re
import socket
import ssl
import stat
import threading

import numpy as np
import pytest

from hearth_process import Server, environment, fail, run, succeed


def init(path, *options):
    return succeed("security", "init", "--tls-dir", path, *options)


def issue(authority, path, *options):
    return succeed("security", "issue", "--tls-dir", authority, "--out", path, *options)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two clusters' credentials: `ours` with another node `node`, and `foreign`."""
    root = tmp_path_factory.mktemp("tls")
    init(root / "ours", "--host", "localhost", "--host", "127.0.0.1")
    issue(root / "ours", root / "node")
    init(root / "foreign")
    return root


@pytest.fixture(scope="module")
def coordinator(folders):
    with Server("coordinator", "--listen", "127.0.0.1:0", "--tls-dir", folders / "ours") as server:
        yield server


@pytest.fixture(scope="module")
def workers(coordinator, folders):
    with Server("worker", "--coordinator", coordinator.address, "--workers", "2",
                "--tls-dir", folders / "node") as server:
        yield server


@pytest.fixture(scope="module")
def plain():
    """A coordinator that goes without credentials."""
    with Server("coordinator", "--listen", "127.0.0.1:0", "--insecure") as server:
        yield server


def port_of(address):
    return int(address.rpartition(":")[2])


# ------------------------------------------------------------------ making them


def test_init_says_what_it_made(tmp_path):
    path = tmp_path / "deep" / "tls"
    made = init(path, "--host", "head.lab", "--host", "10.0.0.1")
    assert made["directory"] == str(path)
    assert {file.name for file in path.iterdir()} == {"ca.pem", "ca.key", "node.pem", "node.key"}
    for who, days in (("authority", 3650), ("node", 365)):
        assert pathlib.Path(made[who]["certificate"]).read_text().startswith("-----BEGIN CERT")
        assert re.fullmatch("[0-9a-f]{64}", made[who]["fingerprint"])
        expires = datetime.datetime.fromisoformat(made[who]["expires"].replace("Z", "+00:00"))
        left = expires - datetime.datetime.now(datetime.timezone.utc)
        assert abs(left - datetime.timedelta(days=days)) < datetime.timedelta(minutes=5)
        mode = stat.S_IMODE(os.stat(made[who]["key"]).st_mode)
        assert mode == 0o600, f"{made[who]['key']}: {mode:o}"
    assert made["node"]["hosts"] == ["head.lab", "10.0.0.1"]


def test_init_never_overwrites_without_force(tmp_path):
    path = tmp_path / "tls"
    first = init(path)
    assert "--force" in fail("security", "init", "--tls-dir", path)
    assert (path / "ca.pem").read_bytes()
    assert init(path, "--force")["authority"] != first["authority"]
    (path / "diary.txt").write_text("mine")
    assert "diary.txt" in fail("security", "init", "--tls-dir", path, "--force")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tls"]


def test_the_default_directory_is_the_users(tmp_path):
    env = environment(HOME=tmp_path)
    del env["XDG_CONFIG_HOME"]
    made = succeed("security", "init", env=env)
    assert made["directory"] == str(tmp_path / ".config/hearth/tls")
    named = succeed("security", "init", env={**env, "HEARTH_TLS_DIR": str(tmp_path / "t")})
    assert named["directory"] == str(tmp_path / "t")


def test_another_nodes_directory_lacks_the_authoritys_key(tmp_path, folders):
    made = issue(folders / "ours", tmp_path / "node7", "--host", "node7", "--days", "30")
    assert made["authority"]["key"] is None
    assert {file.name for file in (tmp_path / "node7").iterdir()} == {
        "ca.pem", "node.pem", "node.key"}
    assert "ca.key" in fail("security", "issue", "--tls-dir", folders / "node",
                            "--out", tmp_path / "x")


@pytest.mark.parametrize("arguments", [
    ["security"], ["security", "nonsense"], ["security", "issue"],
    ["security", "init", "--host", "a,DNS:b"], ["security", "init", "--days", "0"],
    ["ls", "--tls-dir", "x", "--insecure"],
], ids=" ".join)
def test_wrong_usage_is_status_2(arguments, tmp_path):
    fail(*arguments, status=2, cwd=tmp_path, env=environment(HOME=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["security", "init"], ["security", "issue"]], ids=" ".join)
def test_help_has_examples(command):
    result = run(*command, "--help")
    assert result.status == 0 and "Examples:" in result.out, result
    assert "--tls-dir" in result.out and "--host" in result.out, result


# ------------------------------------------------------------------- using them


def test_a_cluster_over_tls_computes(coordinator, workers, folders, square):
    assert workers.ready["address"] == coordinator.address
    tls = ["--tls-dir", folders / "node"]
    result = coordinator.succeed("run", "sum", square, "axis=0", *tls)
    assert result["result"]["values"] == [3, 5, 7]
    listed = coordinator.succeed("workers", *tls)["workers"]
    assert [worker["state"] for worker in listed] == ["ready", "ready"]


def test_the_variable_names_the_directory_too(coordinator, workers, folders, square):
    env = environment(coordinator.address, HEARTH_TLS_DIR=folders / "ours")
    assert succeed("run", "max", square, env=env)["result"]["values"] == 5


def test_a_proxy_for_browsers_is_not_asked(coordinator, folders):
    env = environment(coordinator.address, http_proxy="http://127.0.0.1:9", no_proxy="")
    succeed("ls", "--tls-dir", folders / "node", env=env)


def test_local_serves_clients_over_tls(folders, square):
    with Server("local", "--workers", "1", "--listen", "127.0.0.1:0",
                "--tls-dir", folders / "ours") as server:
        assert server.address.startswith("127.0.0.1:")
        result = server.succeed("run", "sum", square, "--tls-dir", folders / "node")
        assert result["result"]["values"] == 15
        assert "wants TLS" in server.fail("ls", "--insecure")


def test_both_ends_may_go_without_and_say_so_only_when_asked(plain, square):
    with Server("worker", "--coordinator", plain.address, "--insecure"):
        result = run("run", "sum", square, "--insecure", cluster=plain.address)
        assert result.status == 0 and result.err == "", result
        loud = run("run", "sum", square, "--insecure", "-v", cluster=plain.address)
        assert loud.status == 0 and loud.err.count("neither encrypted") == 1, loud


def test_unix_sockets_need_none(cluster, square, tmp_path):
    result = cluster.succeed("run", "sum", square, "--tls-dir", tmp_path / "nothing")
    assert result["result"]["values"] == 15


# --------------------------------------------------------------------- refusals


@pytest.mark.parametrize("command", [
    ["coordinator", "--listen", "127.0.0.1:0"],
    ["local", "--workers", "1", "--listen", "127.0.0.1:0"],
    ["worker", "--coordinator", "127.0.0.1:9"],
    ["ls", "--cluster", "127.0.0.1:9"],
], ids=lambda command: command[0])
def test_tcp_without_credentials_is_refused(command, tmp_path):
    env = environment(HOME=tmp_path)
    line = fail(*command, env=env, timeout=20)
    assert "security init" in line and "--insecure" in line, line


def client_fails(address, *arguments):
    line = fail("ls", "--cluster", address, *arguments, timeout=20)
    assert address in line, line
    return line


def test_a_foreign_certificate_is_refused(coordinator, folders, tmp_path):
    # It believes our authority, and is another's: the server must refuse it.
    mixed = tmp_path / "mixed"
    issue(folders / "foreign", mixed)
    (mixed / "ca.pem").write_bytes((folders / "ours/ca.pem").read_bytes())
    assert "not signed by the ca.pem" in fail(
        "ls", "--cluster", coordinator.address, "--tls-dir", mixed)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk_tls(coordinator.address, folders / "ours/ca.pem", folders / "foreign")
    talk_tls(coordinator.address, folders / "ours/ca.pem", folders / "node")


def test_a_coordinator_that_refuses_us_is_named(coordinator, folders, tmp_path):
    # Believes both authorities, and has a certificate of the wrong one.
    issue(folders / "foreign", tmp_path / "both")
    with (tmp_path / "both/ca.pem").open("ab") as authorities:
        authorities.write((folders / "ours/ca.pem").read_bytes())
    line = client_fails(coordinator.address, "--tls-dir", tmp_path / "both")
    assert "refused our certificate" in line and "both/node.pem" in line, line


def test_authorities_can_be_changed_without_a_gap(folders, square, tmp_path):
    # While nodes still have certificates of the old one, all believe both.
    both = (folders / "ours/ca.pem").read_bytes() + (folders / "foreign/ca.pem").read_bytes()
    for name, authority in (("old", "ours"), ("new", "foreign")):
        issue(folders / authority, tmp_path / name)
        (tmp_path / name / "ca.pem").write_bytes(both)
    with Server("coordinator", "--listen", "127.0.0.1:0", "--tls-dir", tmp_path / "old") as server:
        with Server("worker", "--coordinator", server.address, "--tls-dir", tmp_path / "new"):
            assert server.succeed("run", "sum", square, "--tls-dir", tmp_path / "new")[
                "result"]["values"] == 15


def test_no_certificate_is_refused(coordinator, folders):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk_tls(coordinator.address, folders / "ours/ca.pem", None)


def test_an_expired_certificate_is_refused_at_both_ends(coordinator, folders, tmp_path):
    expired = tmp_path / "expired"
    # The authority was not there yet, so its own dates are not what is looked at.
    issue(folders / "ours", expired, "--now", "2020-01-01T00:00:00Z")
    line = fail("ls", "--cluster", coordinator.address, "--tls-dir", expired)
    assert "expired on" in line and str(expired) in line, line
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk_tls(coordinator.address, folders / "ours/ca.pem", expired)


def test_a_foreign_server_is_refused(coordinator, folders):
    line = client_fails(coordinator.address, "--tls-dir", folders / "foreign")
    assert "another authority" in line and "foreign/ca.pem" in line, line
    line = fail("worker", "--coordinator", coordinator.address,
                "--tls-dir", folders / "foreign", timeout=20)
    assert "another authority" in line, line


def test_a_server_that_refuses_us_is_named(folders):
    # Of our authority, and believing another one.
    with TlsServer(folders / "ours", believes=folders / "foreign/ca.pem") as server:
        line = client_fails(server.address, "--tls-dir", folders / "node")
        assert "refused our certificate" in line and "node/node.pem" in line, line


def test_an_expired_server_is_named(folders, tmp_path):
    issue(folders / "ours", tmp_path / "old", "--now", "2020-01-01T00:00:00Z")
    with TlsServer(tmp_path / "old", believes=folders / "ours/ca.pem") as server:
        line = client_fails(server.address, "--tls-dir", folders / "node")
        assert "its certificate has expired" in line, line


def test_tls_against_plain_text_is_named(plain, folders):
    line = client_fails(plain.address, "--tls-dir", folders / "node")
    assert "speaks no TLS" in line and "--insecure" in line, line


def test_plain_text_against_tls_is_named(coordinator):
    line = client_fails(coordinator.address, "--insecure")
    assert "wants TLS" in line and "--tls-dir" in line, line


@pytest.mark.parametrize("how", ["--tls-dir", "--insecure"])
def test_nobody_there_is_named(how, folders):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    security = [how, folders / "node"] if how == "--tls-dir" else [how]
    assert "nobody listens" in client_fails(f"127.0.0.1:{port}", *security)


@pytest.mark.parametrize("harm", ["ca.pem", "node.pem", "node.key"])
def test_a_damaged_directory_is_refused(harm, folders, tmp_path):
    issue(folders / "ours", tmp_path / "node")
    (tmp_path / "node" / harm).write_text("no certificate, no key")
    line = fail("ls", "--cluster", "127.0.0.1:9", "--tls-dir", tmp_path / "node")
    assert harm in line, line
    (tmp_path / "node" / harm).unlink()
    assert "no such file" in fail(
        "coordinator", "--listen", "127.0.0.1:0", "--tls-dir", tmp_path / "node")


def test_a_key_that_others_may_read_is_refused(folders, tmp_path):
    issue(folders / "ours", tmp_path / "node")
    (tmp_path / "node/node.key").chmod(0o640)
    assert "chmod 600" in fail(
        "coordinator", "--listen", "127.0.0.1:0", "--tls-dir", tmp_path / "node")


def test_strangers_leave_the_server_serving(coordinator, plain, workers, folders):
    noise = np.random.default_rng(4).bytes(5000)
    for address in (coordinator.address, plain.address):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port_of(address)), 5) as stranger:
                try:
                    stranger.sendall(noise)
                    stranger.recv(100)
                except ConnectionError:
                    pass
        browser = http.client.HTTPConnection("127.0.0.1", port_of(address), timeout=5)
        with pytest.raises((http.client.HTTPException, OSError)):
            browser.request("GET", "/")
            browser.getresponse()
        browser.close()
    assert len(coordinator.succeed("workers", "--tls-dir", folders / "ours")["workers"]) == 2
    plain.succeed("ls", "--insecure")


# ------------------------------------------------- the other end, by Python's TLS


def talk_tls(address, ca, node):
    """One byte from a TLS server that takes this client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.set_alpn_protocols(["h2"])
    if node is not None:
        context.load_cert_chain(node / "node.pem", node / "node.key")
    with (socket.create_connection(("127.0.0.1", port_of(address)), 5) as raw,
          context.wrap_socket(raw, server_hostname="hearth-cluster") as tls):
        if not tls.recv(1):
            raise ConnectionError("closed without a word")


class TlsServer:
    """A server of `node`, for whoever has a certificate of `believes`."""

    def __init__(self, node, believes):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(node / "node.pem", node / "node.key")
        self.context.load_verify_locations(believes)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["h2"])
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
