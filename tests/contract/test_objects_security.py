"""Remote objects over TCP with certificates, and for gRPC clients that know nothing of Hearth."""

import subprocess

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)

from hearth_process import BINARY, Server, environment, fail, succeed
from http_gateway import Gateway

COUNTER = BINARY.parent / "examples" / "objects" / "example_counter"
pytestmark = pytest.mark.skipif(not COUNTER.is_file(), reason="the examples were not built")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two clusters' credentials: `ours` with another node `node`, and `foreign`."""
    root = tmp_path_factory.mktemp("tls")
    for name in ("ours", "foreign"):
        succeed("security", "init", "--tls-dir", root / name, "--host", "127.0.0.1")
    succeed("security", "issue", "--tls-dir", root / "ours", "--out", root / "node")
    return root


class Counter:
    """example_counter, serving with the credentials of a folder."""

    def __init__(self, address, folder=None):
        secret = {} if folder is None else {"HEARTH_TLS_DIR": folder}
        self.process = subprocess.Popen(
            [COUNTER, address, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(**secret))

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()[1]
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def secure(folders):
    with Gateway("--listen", "127.0.0.1:0", "--tls-dir", folders / "ours", "--http-token",
                 folders / "token") as server:
        with Counter(server.address, folders / "node"):
            yield server


def tcp_address(server, *words):
    (counter,) = server.succeed("objects", *words)["objects"]
    (address,) = [one for one in counter["addresses"] if not one.startswith("unix")]
    return address


def credentials(folder, authority):
    return grpc.ssl_channel_credentials(
        (authority / "ca.pem").read_bytes(), (folder / "node.key").read_bytes(),
        (folder / "node.pem").read_bytes())


NAME = [("grpc.ssl_target_name_override", "hearth-cluster")]


def is_serving(channel):
    return health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING


def test_a_member_calls_over_tls(secure, folders):
    words = ("--tls-dir", folders / "node")
    assert secure.succeed("call", "counter", "add", "5", *words)["result"] == 5
    assert secure.succeed("call", "counter", "sum", *words)["result"] == 5
    assert secure.call("counter", "sum") == 5  # through the gateway, too


@pytest.mark.parametrize("words", [("--insecure",), ("--tls-dir", "foreign"), ("--tls-dir", "none")],
                         ids=" ".join)
def test_nobody_else_gets_to_objects(secure, folders, words):
    option, *folder = words
    more = (option, *(str(folders / one) for one in folder))
    line = fail("call", "counter", "add", "5", "--cluster", secure.address, *more, timeout=30)
    assert "--tls-dir" in line or "certificate" in line or "not signed" in line or "none" in line


def test_an_object_server_without_credentials_is_refused(secure, folders):
    for folder in (None, folders / "foreign"):
        with pytest.raises(AssertionError, match="TLS|certificate|signed|credentials|tls-dir"):
            with Counter(secure.address, folder):
                pass


def test_the_object_servers_own_port_wants_a_certificate(secure, folders):
    # Not the coordinator's door: the one that callers of the object come to.
    address = tcp_address(secure, "--tls-dir", folders / "node")
    with grpc.secure_channel(address, credentials(folders / "node", folders / "ours"),
                             NAME) as channel:
        assert is_serving(channel)
    authority = (folders / "ours" / "ca.pem").read_bytes()
    strangers = (
        grpc.insecure_channel(address),
        grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), NAME),
        grpc.secure_channel(address, credentials(folders / "foreign", folders / "ours"), NAME))
    for channel in strangers:
        with channel, pytest.raises(grpc.RpcError):
            is_serving(channel)


# --------------------------------------------------- clients that know nothing

@pytest.fixture(scope="module")
def plain():
    with Server("coordinator", "--listen", "127.0.0.1:0", "--insecure") as server:
        with Counter(server.address):
            yield server


def test_a_generic_client_finds_out_what_to_call(plain):
    """No .proto of ours: names, messages and methods come from the server itself."""
    with grpc.insecure_channel(tcp_address(plain, "--insecure")) as channel:
        assert is_serving(channel)
        told = ProtoReflectionDescriptorDatabase(channel)
        assert {"hearth.proto.Objects", "grpc.health.v1.Health"} <= set(told.get_services())
        pool = descriptor_pool.DescriptorPool(told)
        method = pool.FindServiceByName("hearth.proto.Objects").FindMethodByName("Call")
        request = message_factory.GetMessageClass(method.input_type)()
        reply_class = message_factory.GetMessageClass(method.output_type)
        call = channel.unary_unary("/hearth.proto.Objects/Call",
                                   request_serializer=lambda message: message.SerializeToString(),
                                   response_deserializer=reply_class.FromString)
        json_format.ParseDict({"object": "counter", "method": "add",
                               "arguments": [{"integer": 7}]}, request)
        before = plain.succeed("call", "counter", "sum", "--insecure")["result"]
        found = json_format.MessageToDict(call(request, timeout=10))
        assert int(found["result"]["integer"]) == before + 7

        request.arguments[0].text = "many"
        found = json_format.MessageToDict(call(request, timeout=10))
        assert '"amount" expects int64, got string' in str(found["error"])


def test_a_generic_client_sees_that_the_coordinator_serves(plain):
    with grpc.insecure_channel(plain.address) as channel:
        assert is_serving(channel)
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
        assert {"hearth.proto.Coordinator", "hearth.proto.Directory"} <= services
