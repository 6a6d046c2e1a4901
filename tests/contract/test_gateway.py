"""The JSON gateway of `hearth coordinator --http`, as its clients and pages in browsers meet it."""

import contextlib
import json
import os
import pathlib
import socket
import stat
import subprocess
import threading
import time

import pytest

from hearth_process import BINARY, Server, environment, fail, run, start, wait_until
from http_gateway import EXAMPLES, Gateway, Serving, everything, request

pytestmark = pytest.mark.skipif(not (EXAMPLES / "example_thermostat").is_file(),
                                reason="the examples were not built")


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def gateway(state):
    with Gateway("--state-dir", str(state)) as server:
        with Serving(server.address, "thermostat"), Serving(server.address, "counter", "serve"):
            yield server


# ------------------------------------------------------------------- calling

def test_objects_are_listed_as_the_command_lists_them(gateway):
    status, headers, listed = gateway.ask("GET", "/objects")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert listed == gateway.succeed("objects")
    assert [one["name"] for one in listed["objects"]] == ["counter", "hall"]

    def names(query):
        return [one["name"] for one in gateway.ask("GET", f"/objects?{query}")[2]["objects"]]
    assert names("prefix=ha") == ["hall"]
    assert names("tag=thermostat&tag=ground+floor") == ["hall"]
    assert names("tag=thermostat&tag=attic") == []
    assert names("any_tag=attic&any_tag=example") == ["counter"]
    assert gateway.ask("GET", "/objects?colour=red")[0] == 400


def test_names_of_hearths_own_are_not_there(gateway):
    for name in ("_python.at:boot.1.0.7", "_python.x", "_hidden", "$factory", "_"):
        for method, path in (("GET", ""), ("POST", "/run"), ("GET", "/run"), ("PUT", "/run")):
            status, _, answer = gateway.ask(method, f"/objects/{name}{path}")
            assert status == 403 and answer["error"]["type"] == "not-allowed", answer
            wanted = "functions are sent by members only" if name.startswith("_python.") else "members only"
            assert wanted in answer["error"]["message"]
    assert gateway.ask("GET", "/objects/%5Fpython.x")[0] == 403
    # Nor can they be handed to an object that calls what it is given.
    handle = {"$object": "_python.x"}
    for method, path, body in (("POST", "/objects/counter/add", [handle]), ("POST", "/objects/counter/add", [[handle]]),
                               ("POST", "/objects/counter/add", {"amount": {"in": handle}}),
                               ("PUT", "/objects/counter/sum", handle),
                               ("GET", "/objects/counter/sum?a=%7B%22%24object%22%3A%22_python.x%22%7D", None)):
        status, _, answer = gateway.ask(method, path, body)
        assert (status, answer["error"]["type"]) == (403, "not-allowed"), (method, path, answer)
    with Server("worker", "--coordinator", gateway.address, "--plugin", EXAMPLES / "example_plugin.so"):
        for name in ("_python.x", "_hidden", "seen"):
            subprocess.run([EXAMPLES / "example_create", gateway.address, "Counter", name, "4"],
                           check=True, env=environment())
        names = [one["name"] for one in gateway.ask("GET", "/objects")[2]["objects"]]
        assert names == ["counter", "hall", "seen"]
        assert gateway.ask("GET", "/objects?prefix=_")[2] == {"objects": []}
        assert gateway.call("seen", "add", [1]) == 5
        for name in ("_python.x", "_hidden"):
            assert gateway.ask("POST", f"/objects/{name}/add", [1])[0] == 403
            assert run("call", name, "add", "1", "--json", cluster=gateway.address).status == 0
    wait_until(lambda: len(gateway.ask("GET", "/objects")[2]["objects"]) == 2)


def test_an_object_says_what_it_has(gateway):
    status, _, described = gateway.ask("GET", "/objects/hall")
    assert status == 200 and described["object"] == "hall"
    assert described["class"]["name"] == "Thermostat"
    methods = {one["name"]: one for one in described["class"]["methods"]}
    assert methods["hold"]["doc"] == "Lasts that long."
    assert methods["fahrenheit"]["parameters"] == [{"name": "celsius", "type": "float64"}]


def test_arguments_go_by_position_or_by_name(gateway):
    before = gateway.call("counter", "add", [0])
    assert gateway.call("counter", "add", [5]) == before + 5
    assert gateway.call("counter", "add", {"amount": 2}) == before + 7
    assert gateway.call("counter", "increment") == before + 8
    assert gateway.call("counter", "sum", []) == before + 8


def test_what_may_be_asked_twice_is_also_got(gateway):
    assert gateway.ask("GET", "/objects/hall/fahrenheit?celsius=100")[2] == {"result": 212.0}
    assert gateway.ask("GET", "/objects/hall/fahrenheit")[0] == 400
    status, headers, answer = gateway.ask("GET", "/objects/counter/add?amount=1")
    assert status == 405 and headers["Allow"] == "POST" and "POST" in answer["error"]["message"]
    assert gateway.ask("GET", "/objects/hall/target=?value=3")[0] == 405


def test_attributes_are_got_and_put(gateway):
    assert gateway.ask("PUT", "/objects/hall/target", 21.5)[::2] == (200, {"result": None})
    assert gateway.ask("GET", "/objects/hall/target")[2] == {"result": 21.5}
    assert gateway.ask("PUT", "/objects/hall/left", 1)[0] == 404


def test_a_oneway_call_is_not_waited_for(gateway):
    begin = time.monotonic()
    answer = gateway.call("hall", "hold", [5], status=202, Hearth_Oneway="true")
    assert answer == {"sent": True} and time.monotonic() - begin < 4


def test_oneway_is_said_clearly(gateway):
    for yes in ("true", "True", "1"):
        gateway.call("hall", "target", status=202, Hearth_Oneway=yes)
    for no in ("false", "FALSE", "0"):
        gateway.call("hall", "target", Hearth_Oneway=no)
    for neither in ("yes", "2", "", "true, true"):
        assert "true or false" in gateway.call("hall", "target", status=400,
                                               Hearth_Oneway=neither)["message"]


def test_items_come_one_a_line(gateway):
    with contextlib.closing(gateway.connect()) as connection:
        connection.request("POST", "/objects/hall/readings", "[100000]",
                           {"Authorization": f"Bearer {gateway.token}"})
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert answer.headers["Transfer-Encoding"] == "chunked"
        found = [json.loads(line) for line in answer]
    assert found == [20 + 0.5 * (i % 4) for i in range(100000)]


def test_a_command_prints_items_as_they_come_and_then_what_failed():
    """They were shown when a pipe's buffer was full."""
    with Server("coordinator") as server, Serving(server.address, "thermostat") as serving:
        assert run("call", "hall", "readings", 3, cluster=server.address).out == "20.0\n20.5\n21.0\n"
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BINARY, "call", "hall", "readings", "3"], stdout=full, text=True,
                                  stderr=subprocess.PIPE, env=environment(server.address), check=False)
        assert done.returncode == 1 and "No space left" in done.stderr, done
        process = server.start("call", "hall", "readings", 10**12)
        assert [process.stdout.readline() for _ in range(3)] == ["20.0\n", "20.5\n", "21.0\n"]
        serving.process.kill()
        with process:
            assert set(process.stdout.read().split()) <= {"20.0", "20.5", "21.0", "21.5"}
            err = process.stderr.read()
            assert process.wait(20) == 1 and err.startswith("hearth: ") and err.count("\n") == 1, err


def test_items_as_one_document_are_all_of_them_or_none():
    with Server("coordinator") as server, Serving(server.address, "thermostat"):
        assert len(server.succeed("call", "hall", "readings", 1000)["result"]) == 1000
        line = server.fail("call", "hall", "readings", 10**12, "--json")
        assert "call hall.readings" in line and "leave out --json" in line


def test_a_reader_who_stops_makes_the_items_wait(gateway):
    before = gateway.rss
    with gateway.socket() as sock:
        sock.sendall(request("POST", "/objects/hall/readings", gateway.token, b"[100000000]"))
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        time.sleep(2)
        assert gateway.rss - before < 32 * 2**20


def test_many_requests_go_over_one_connection(gateway):
    with contextlib.closing(gateway.connect()) as connection:
        for i in range(200):
            connection.request("GET", f"/objects/hall/fahrenheit?celsius={i}",
                               headers={"Authorization": f"Bearer {gateway.token}"})
            assert json.loads(connection.getresponse().read()) == {"result": i * 9 / 5 + 32}


def test_requests_that_came_together_are_answered_in_order(gateway):
    with gateway.socket() as sock:
        sock.sendall(b"".join(request("POST", "/objects/hall/fahrenheit", gateway.token,
                                      b"[%d]" % i, keep=i < 9) for i in range(10)))
        answers = everything(sock)
    found = [json.loads(part.split(b"\r\n\r\n")[1]) for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert [one["result"] for one in found] == [i * 9 / 5 + 32 for i in range(10)]


def test_callers_at_the_same_time_do_not_wait_for_each_other(gateway):
    before = gateway.call("counter", "sum")
    threads = [threading.Thread(target=lambda: [gateway.call("counter", "add", [1])
                                                for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gateway.call("counter", "sum") == before + 160


def test_a_correlation_id_goes_along_and_comes_back(gateway):
    _, headers, answer = gateway.ask("PUT", "/objects/hall/target", 99,
                                     Hearth_Correlation_Id="order 7")
    assert headers["Hearth-Correlation-Id"] == "order 7"
    assert answer["error"]["correlation"] == "order 7"
    _, headers, _ = gateway.ask("GET", "/objects/hall/target")
    assert len(headers["Hearth-Correlation-Id"]) == 32
    assert gateway.call("hall", "target", status=400, Hearth_Correlation_Id="x" * 201)


# -------------------------------------------------------------------- errors

def test_an_error_of_the_class_has_its_type_and_its_stack(gateway):
    status, _, answer = gateway.ask("PUT", "/objects/hall/target", 99)
    error = answer["error"]
    assert status == 500 and error["type"] == "thermostat.TooHot"
    assert error["message"] == "99 degrees are too many, 30 the most"
    assert len(error["stack"]) == 1 and error["stack"][0].startswith("hall.target= at pid ")


@pytest.mark.parametrize("method, path, body, status, said", [
    ("GET", "/objects/nobody", None, 404, 'no object has that name'),
    ("POST", "/objects/nobody/add", "[1]", 404, "no object has that name"),
    ("POST", "/objects/counter/drop", "[]", 404, "exposes no method"),
    ("POST", "/objects/counter/drop", '{"a": 1}', 404, "exposes no method"),
    ("GET", "/objects/counter/drop", None, 404, "exposes no method"),
    ("GET", "/", None, 404, "GET /objects"),
    ("GET", "/other", None, 404, "GET /objects"),
    ("POST", "/objects/a/b/c", "[]", 404, "GET /objects"),
    ("POST", "/objects", "[]", 405, "only GET"),
    ("DELETE", "/objects/counter/add", None, 405, "POST calls"),
    ("POST", "/objects//add", "[1]", 400, "no name"),
    ("GET", "/objects//", None, 400, "no name"),
    ("POST", "/objects/counter//", "[1]", 400, "no method"),
    ("POST", "/objects/counter/add", "[1", 400, "as JSON"),
    ("POST", "/objects/counter/add", "[18446744073709551616]", 400, "64 bits"),
    ("POST", "/objects/counter/add", '{"amount": 1, "amount": 2}', 400, "given twice"),
    ("POST", "/objects/counter/add", '[{"$array": "int32", "shape": [-1], "values": []}]', 400, "its shape"),
    ("POST", "/objects/counter/add", '[{"$array": "uint8", "shape": [1], "values": [-1]}]', 400, "is no uint8"),
    ("POST", "/objects/counter/add", '[{"$array": "int32", "shape": [0], "order": "A", "values": []}]', 400, '"F"'),
    ("POST", "/objects/counter/add", "7", 400, "the body is an int64;"),
    ("POST", "/objects/counter/add", "null", 400, "the body is null;"),
    ("POST", "/objects/counter/add", '{"$object": "x"}', 400, "the body is an object;"),
    ("POST", "/objects/counter/add", "5", 400, "send a list"),
    ("POST", "/objects/counter/add", '{"$matrix": "m"}', 400, "send a list"),
    ("POST", "/objects/counter/add", '["many"]', 400, '"amount" expects int64, got string'),
    ("POST", "/objects/counter/add", "[]", 400, "takes 1 argument"),
    ("POST", "/objects/counter/add", "[1, 2]", 400, "takes 1 argument"),
    ("POST", "/objects/counter/add", '{"amont": 1}', 400, "it takes (amount)"),
    ("POST", "/objects/counter/add", "{}", 400, '"amount" is missing'),
    ("POST", "/objects/counter/add?amount=1", "[1]", 400, "not in the query"),
    ("POST", "/objects/counter/add", "[" * 100 + "]" * 100, 400, "deeper than"),
    ("POST", "/objects/counter/add", "[" + "1," * 1_000_001 + "1]", 400, "more than 1000000"),
    ("GET", "/objects/hall/fahrenheit?celsius=1&celsius=2", None, 400, "given twice"),
    ("GET", "/objects/%FF", None, 400, "no text"),
    ("GET", "/objects/%00", None, 400, "no text"),
    ("GET", "/objects/%2", None, 400, "broken"),
    ("GET", "/objects?prefix=%0A", None, 400, "no text"),
])
def test_a_mistake_is_one_clear_sentence(gateway, method, path, body, status, said):
    found, _, answer = gateway.ask(method, path, body)
    assert found == status, answer
    assert set(answer["error"]) == {"type", "message", "stack", "correlation"}
    assert said in answer["error"]["message"]
    assert gateway.call("hall", "target") is not None  # it lives


def test_a_deadline_is_a_gateway_timeout(gateway):
    before, begin = gateway.call("hall", "left"), time.monotonic()
    error = gateway.call("hall", "hold", [20], status=504, Hearth_Timeout="0.2")
    assert error["type"] == "deadline-exceeded" and time.monotonic() - begin < 5
    wait_until(lambda: gateway.call("hall", "left") == before + 1, 10, "the end of his call")
    for wrong in ("0", "-1", "soon", "nan", "1e9", "0x10", "1e-300", "0.0000001", "", "."):
        assert gateway.call("hall", "target", status=400, Hearth_Timeout=wrong)


def test_who_hangs_up_ends_his_call(gateway):
    begun, before = gateway.call("hall", "begun"), gateway.call("hall", "left")
    with gateway.socket() as sock:
        sock.sendall(request("POST", "/objects/hall/hold", gateway.token, b"[30]"))
        wait_until(lambda: gateway.call("hall", "begun") == begun + 1, 10, "his call")
    wait_until(lambda: gateway.call("hall", "left") == before + 1, 10, "the end of his call")


def test_who_sends_no_more_is_answered(gateway):
    with gateway.socket() as sock:
        sock.sendall(request("POST", "/objects/hall/hold", gateway.token, b"[0.5]")
                     + request("POST", "/objects/hall/fahrenheit", gateway.token, b"[100]"))
        sock.shutdown(socket.SHUT_WR)
        before = gateway.cpu_seconds
        answers = everything(sock)
        assert gateway.cpu_seconds - before < 0.3
    assert answers.count(b"HTTP/1.1 200") == 2 and answers.endswith(b'{"result":212.0}\n')


def test_who_sends_no_more_is_not_answered_for_ever(gateway):
    before = gateway.call("hall", "left")
    with gateway.socket() as sock:
        sock.sendall(request("POST", "/objects/hall/hold", gateway.token, b"[30]"))
        sock.shutdown(socket.SHUT_WR)
        begin = time.monotonic()
        assert everything(sock) == b"" and 4 < time.monotonic() - begin < 10
    wait_until(lambda: gateway.call("hall", "left") == before + 1, 10, "the end of his call")


def test_an_answer_to_head_has_no_body(gateway):
    with contextlib.closing(gateway.connect()) as connection:
        for path in ("/objects", "/objects/hall/target", "/nothing"):
            connection.request("HEAD", path, headers={"Authorization": f"Bearer {gateway.token}"})
            answer = connection.getresponse()
            assert answer.status in (404, 405) and answer.read() == b""
        connection.request("GET", "/objects/hall/fahrenheit?celsius=100",
                           headers={"Authorization": f"Bearer {gateway.token}"})
        assert json.loads(connection.getresponse().read()) == {"result": 212.0}
    refused = gateway.send(b"HEAD /objects HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 401") and refused.endswith(b"\r\n\r\n")


def test_what_has_died_is_not_available(tmp_path):
    with Gateway("--state-dir", str(tmp_path)) as server:
        serving = Serving(server.address, "counter", "serve")
        assert server.call("counter", "add", [1]) == 1
        serving.process.kill()
        serving.process.communicate()
        # The directory may have noticed already, or the lease may still run.
        status, _, answer = server.ask("POST", "/objects/counter/add", [1], Hearth_Timeout="20")
        assert status in (404, 500, 503), answer
        assert answer["error"]["type"] in ("object-gone", "name-unknown", "outcome-unknown")
        wait_until(lambda: server.ask("POST", "/objects/counter/add", [1])[0] == 404)


# ----------------------------------------------------------------- who may in

def test_only_its_user_can_read_the_token(gateway, state):
    path = pathlib.Path(gateway.ready["http_token"])
    assert path == state / "http-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(gateway.token) == 64


@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "Bearer " + "0" * 64,
    "Bearer " + "0" * 10000])
def test_who_has_no_token_is_refused(gateway, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("GET", "/objects"), ("POST", "/objects/counter/add"), ("GET", "/x")):
        status, found, answer = gateway.ask(method, path, token=False, **headers)
        assert status == 401 and found["WWW-Authenticate"].startswith("Bearer"), answer
    almost = gateway.token[:-1] + ("0" if gateway.token[-1] != "0" else "1")
    for wrong in (almost, gateway.token[:-1], gateway.token + "0"):
        assert gateway.ask("GET", "/objects", token=False,
                           Authorization=f"Bearer {wrong}")[0] == 401


def test_pages_of_other_sites_are_refused(gateway):
    # DNS rebinding: the page's own name leads here.
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "", "[", "127.0.0.1.x"):
        assert gateway.ask("GET", "/objects", Host=host)[0] in (400, 421), host
    for host in ("localhost", f"127.0.0.1:{gateway.port}", "[::1]:80", socket.gethostname()):
        assert gateway.ask("GET", "/objects", Host=host)[0] == 200, host
    for origin in ("http://evil.example", "null", f"http://{gateway.host}:1", "file://"):
        assert gateway.ask("GET", "/objects", Origin=origin)[0] == 403, origin
    own = f"http://{gateway.host}:{gateway.port}"
    status, headers, _ = gateway.ask("GET", "/objects", Origin=own)
    assert status == 200 and "Access-Control-Allow-Origin" not in headers


def test_without_a_state_dir_the_token_is_the_users(tmp_path):
    env = environment(XDG_STATE_HOME=tmp_path)
    with Gateway(env=env) as first:
        path = tmp_path / "hearth" / "http-token"
        assert first.ready["http_token"] == str(path)
        with Gateway(env=env) as second:
            assert second.token == first.token
            assert second.ask("GET", "/objects")[0] == 200


def test_the_token_is_told_by_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Gateway("--http-token", "./token") as server:
        assert server.ready["http_token"] == f"{tmp_path}/token"
    with Gateway("--state-dir", "state") as server:
        assert server.ready["http_token"] == f"{tmp_path}/state/http-token"


def test_a_token_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "token"
    command = ["coordinator", "--http", "127.0.0.1:0", "--http-token", str(path)]
    path.write_text("a" * 32 + "\n")
    path.chmod(0o644)
    assert "chmod 600" in fail(*command, timeout=10)
    path.chmod(0o600)
    with Gateway("--http-token", str(path)) as server:
        assert server.token == "a" * 32 and server.ask("GET", "/objects")[0] == 200
    path.write_text("short")
    assert "no token" in fail(*command, timeout=10)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert str(path) in fail(*command, timeout=10)
    assert not (tmp_path / "elsewhere").exists()


def test_a_token_file_that_is_none_is_refused(tmp_path):
    def said(path, **more):
        return fail("coordinator", "--http", "127.0.0.1:0", "--http-token", str(path), timeout=10, **more)
    (tmp_path / "folder").mkdir()
    line = said(tmp_path / "folder")
    assert "it is a folder" in line and "chmod" not in line
    os.mkfifo(tmp_path / "fifo", 0o600)
    line = said(tmp_path / "fifo")
    assert "no regular file" in line and "chmod" not in line
    if os.geteuid() == 0:
        (tmp_path / "theirs").write_text("a" * 32)
        (tmp_path / "theirs").chmod(0o600)
        os.chown(tmp_path / "theirs", 1, 1)
        assert "another user's" in said(tmp_path / "theirs")
    assert "--http-token" in said("", status=2)
    line = said(tmp_path / "missing" / "token")
    assert "its folder is not there" in line and not (tmp_path / "missing").exists()


def test_insecure_asks_for_no_token():
    with Gateway("--insecure") as server:
        assert server.ready["http_token"] is None
        assert server.ask("GET", "/objects")[::2] == (200, {"objects": []})
        assert server.ask("GET", "/objects", Origin="http://evil.example")[0] == 403


def test_insecure_with_a_token_file_asks_for_it(tmp_path):
    with Gateway("--insecure", "--http-token", str(tmp_path / "t")) as server:
        assert server.ask("GET", "/objects", token=False)[0] == 401
        assert server.ask("GET", "/objects")[0] == 200


def test_other_machines_need_insecure(tmp_path):
    line = fail("coordinator", "--http", "0.0.0.0:0", "--state-dir", str(tmp_path), timeout=10)
    assert "--insecure" in line and "TLS" in line
    for address in ("unix:/x", "unix-abstract:x", "nonsense", "127.0.0.1:99999"):
        fail("coordinator", "--http", address, "--state-dir", str(tmp_path), status=2, timeout=10)
    assert "--http" in fail("coordinator", "--http-token", "x", status=2, timeout=10)


def test_a_port_that_is_taken_is_an_error(gateway, tmp_path):
    line = fail("coordinator", "--http", f"{gateway.host}:{gateway.port}",
                "--state-dir", str(tmp_path), timeout=10)
    assert gateway.port in line


def test_the_ready_line_stays_one_line(tmp_path):
    process = start("coordinator", "--http", "127.0.0.1:0", "--state-dir", str(tmp_path))
    assert process.stdout.readline().startswith("ready unix-abstract:")
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert out == "" and err.startswith("gateway http://127.0.0.1:")
    assert err.endswith(f"its token is in {tmp_path}/http-token\n")


def test_with_a_coordinator_on_tcp_it_is_there_too(tmp_path):
    with Gateway("--listen", "127.0.0.1:0", "--insecure", "--http-token",
                 str(tmp_path / "t")) as server:
        assert server.address.startswith("127.0.0.1:")
        with Serving(server.address, "counter", "serve"):
            assert server.call("counter", "add", [3]) == 3
