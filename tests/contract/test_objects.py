"""Remote objects as a shell and C++ programs use them: over a real coordinator."""

import json
import subprocess
import uuid

import numpy as np
import pytest

from hearth_process import BINARY, Server, environment, fail, kill, run, wait_until

EXAMPLES = BINARY.parent / "examples" / "objects"
TRANSPORTS = {"unix": [], "tcp": ["--listen", "127.0.0.1:0", "--insecure"]}


def example(name, *arguments, status=0):
    done = subprocess.run([EXAMPLES / f"example_{name}", *map(str, arguments)], text=True,
                          capture_output=True, timeout=60, check=False, env=environment())
    assert done.returncode == status, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Serving:
    """example_counter, serving in a process of its own."""

    def __init__(self, address):
        self.process = subprocess.Popen(
            [EXAMPLES / "example_counter", address, "serve"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment())
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.communicate(timeout=20)
        self.process.stdout.close()
        self.process.stdin.close()


@pytest.fixture(scope="module", params=TRANSPORTS)
def coordinator(request):
    if not (EXAMPLES / "example_counter").is_file():
        pytest.skip("the examples were not built")
    with Server("coordinator", *TRANSPORTS[request.param]) as server:
        server.more = ["--insecure"] if request.param == "tcp" else []
        yield server


def call(server, *arguments):
    return server.succeed("call", *arguments, *server.more)["result"]


def test_an_object_is_found_by_name_and_called(coordinator):
    with Serving(coordinator.address) as serving:
        listed = coordinator.succeed("objects", *coordinator.more)["objects"]
        assert [(one["name"], one["class"], one["tags"], one["pid"]) for one in listed] == [
            ("counter", "Counter", ["example"], serving.process.pid)]
        assert call(coordinator, "counter", "add", "5") == 5
        assert call(coordinator, "counter", "add", "2") == 7
        assert call(coordinator, "counter", "sum") == 7
        assert example("counter", coordinator.address, 100) == "107\n"
        described = call(coordinator, "counter", "$describe")
        assert described["name"] == "Counter"
        assert [one["name"] for one in described["methods"]] == ["add", "increment", "sum"]
    # Its names leave with it, at once.
    assert coordinator.succeed("objects", *coordinator.more)["objects"] == []


def test_objects_are_listed_by_prefix_and_tags(coordinator):
    with Serving(coordinator.address):
        def names(*options):
            listed = coordinator.succeed("objects", *options, *coordinator.more)
            return [one["name"] for one in listed["objects"]]
        assert names("--prefix", "count") == ["counter"]
        assert names("--prefix", "x") == []
        assert names("--tag", "example") == ["counter"]
        assert names("--tag", "example", "--tag", "other") == []
        assert names("--any-tag", "other", "--any-tag", "example") == ["counter"]


def test_mistakes_are_one_clear_line(coordinator):
    with Serving(coordinator.address):
        more = coordinator.more
        line = coordinator.fail("call", "nobody", "add", "1", *more)
        assert '"nobody": no object has that name' in line
        line = coordinator.fail("call", "counter", "drop", *more)
        assert 'exposes no method "drop"' in line and "add, increment, sum" in line
        line = coordinator.fail("call", "counter", "add", "many", *more)
        assert 'Counter.add: parameter "amount" expects int64, got string' in line
        line = coordinator.fail("call", "counter", "add", *more)
        assert "takes 1 argument (amount: int64), got 0" in line
        coordinator.fail("call", "counter", "add", "[1,", *more, status=2)


@pytest.mark.parametrize("text, kind", [
    ("[1]", "list"), ("[1,2]", "list"), ("[]", "list"), ('["a,b"]', "list"), ("[[1],[2]]", "list"),
    ("{}", "map"), ('{"a": [1]}', "map"), ("%%", "string"), ("1,2", "string"), ("\x01[1]", "string"),
])
def test_an_argument_is_what_was_typed(coordinator, text, kind):
    """The parser took the brackets away and made an argument of each item, so [1] was 1 and [] was none."""
    with Serving(coordinator.address):
        line = coordinator.fail("call", "counter", "add", text, *coordinator.more)
        assert f'parameter "amount" expects int64, got {kind}' in line


def test_without_a_cluster_there_are_no_objects():
    assert "--cluster" in fail("objects", status=2)
    assert "--cluster" in fail("call", "counter", "add", "1", status=2)


def test_what_died_leaves_and_its_callers_are_told(coordinator):
    with Serving(coordinator.address) as serving:
        assert call(coordinator, "counter", "add", "5") == 5
        kill(serving.process.pid)
        serving.process.wait(10)
        line = coordinator.fail("call", "counter", "add", "1", *coordinator.more, timeout=30)
        assert "counter" in line
        wait_until(lambda: not coordinator.succeed("objects", *coordinator.more)["objects"], 10,
                   "the dead one's leaving")


def test_a_name_goes_on_where_another_process_serves_it(coordinator):
    with Serving(coordinator.address) as first:
        assert call(coordinator, "counter", "add", "5") == 5
        kill(first.process.pid)
        first.process.wait(10)
    wait_until(lambda: not coordinator.succeed("objects", *coordinator.more)["objects"], 10)
    with Serving(coordinator.address):
        assert call(coordinator, "counter", "add", "1") == 1


@pytest.mark.parametrize("name, expected", [
    ("bank", "bank.InsufficientFunds: ann has 300, not 700\n"
             "bank.NoSuchAccount: nobody is called carl\nbob has 700\n"),
    ("chat", "2 heard hello\n2 heard anybody?\nbob: ann: hello; ann: anybody?; \n"),
    ("stream", "1000000 items\n"),
    ("dispatcher", "0 jobs left\n"),
])
def test_an_example_runs(coordinator, name, expected):
    assert example(name, coordinator.address) == expected


def test_kmeans_finds_what_numpy_finds(tmp_path):
    rng = np.random.default_rng(5)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.concatenate([centre + rng.normal(size=(500, 2)) for centre in centres])
    np.save(tmp_path / "points.npy", points)
    with Server("local", "--workers", "1") as server:
        server.succeed("put", "points", str(tmp_path / "points.npy"), "--copy")
        out = example("kmeans", server.address, "points", 3)
    found = np.array([[float(x) for x in line.split()] for line in out.splitlines()])
    labels = ((points[:, None] - found[None]) ** 2).sum(axis=2).argmin(axis=1)
    expected = np.array([points[labels == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - np.array([[0, 0], [0, 10], [10, 0]])).max() < 0.5


def test_names_outlive_the_coordinator(tmp_path):
    words = ["coordinator", "--listen", f"unix-abstract:objects-kept-{uuid.uuid4().hex}",
             "--state-dir", tmp_path / "state"]
    first = Server(*words)
    with first:
        with Serving(first.address):
            assert call_at(first.address, "counter", "add", "5") == 5
            first.killed = True
            for pid in first.pids:
                kill(pid)
            first.process.wait(10)
            with Server(*words) as second:
                assert call_at(second.address, "counter", "add", "2") == 7


def call_at(address, *arguments):
    result = run("call", *arguments, "--json", cluster=address)
    assert result.status == 0, result
    return json.loads(result.out)["result"]


def test_a_worker_makes_objects_of_a_plugins_classes(coordinator):
    plugin = EXAMPLES / "example_plugin.so"
    with Server("worker", "--coordinator", coordinator.address, "--plugin", plugin,
                *coordinator.more):
        made = example("create", coordinator.address, "Counter", "made", 40)
        assert made == "made made\n"
        assert call(coordinator, "made", "add", "2") == 42
        listed = coordinator.succeed("objects", *coordinator.more)["objects"]
        assert [(one["name"], one["class"]) for one in listed] == [("made", "Counter")]
        assert call(coordinator, "made", "add", "1") == 43
    wait_until(lambda: not coordinator.succeed("objects", *coordinator.more)["objects"], 10)


def test_a_plugin_that_is_none_is_refused(tmp_path):
    (tmp_path / "x.so").write_text("no library")
    with Server("coordinator") as server:
        line = fail("worker", "--coordinator", server.address, "--plugin", str(tmp_path / "x.so"),
                    timeout=30)
        assert "x.so" in line
        line = fail("worker", "--coordinator", server.address, "--plugin",
                    str(tmp_path / "none.so"), timeout=30)
        assert "none.so" in line
