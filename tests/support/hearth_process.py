"""Runs the real binary, as a script would: by its arguments and its output."""

import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("HEARTH_BINARY", ROOT / "build/release/hearth")).resolve()
SECONDS_MAX = 120  # what hangs for longer is a failure

# Begun in the background, a test run ignores SIGINT, and so would all that it starts and interrupts.
# A handler is not inherited: children have the default.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Result:
    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def __repr__(self):
        return (f"{' '.join(self.command)}: status {self.status}\n"
                f"stdout: {self.out[:2000]}\nstderr: {self.err[:2000]}")

    @property
    def json(self):
        return json.loads(self.out)


def environment(cluster=None, **variables):
    env = {name: value for name, value in os.environ.items()
           if name not in ("HEARTH_CLUSTER", "HEARTH_TLS_DIR")}
    env["XDG_CONFIG_HOME"] = "/nonexistent"  # whoever runs the tests may have credentials
    if cluster:
        env["HEARTH_CLUSTER"] = cluster
    return {**env, **{name: str(value) for name, value in variables.items()}}


def start(*arguments, cluster=None, cwd=None, env=None, within=()):
    """A running `hearth`, its output in pipes; `within`: a command that runs it."""
    return subprocess.Popen(
        [*within, BINARY, *map(str, arguments)], cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=env or environment(cluster))


def finish(process, timeout=SECONDS_MAX):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout} s: {process.args}\n{out}{err}") from None
    return Result([str(part) for part in process.args], process.returncode, out, err)


def run(*arguments, timeout=SECONDS_MAX, **where):
    return finish(start(*arguments, **where), timeout)


def succeed(*arguments, **where):
    """The JSON that a command prints."""
    result = run(*arguments, "--json", **where)
    assert result.status == 0, result
    return result.json


def fail(*arguments, status=1, **where):
    """The error line of a command that must fail, held to the contract's form."""
    result = run(*arguments, **where)
    expected = (status,) if isinstance(status, int) else status
    assert result.status in expected, f"not status {status}: {result}"
    assert_one_error_line(result)
    return result.err.rstrip("\n")


def assert_one_error_line(result):
    assert result.out == "", f"something on stdout: {result}"
    assert result.err.endswith("\n") and result.err.count("\n") == 1, f"not one line: {result}"
    assert result.err.startswith("hearth: ") and len(result.err) > 20, result


def wait_until(condition, seconds=10, what="what was waited for"):
    """Polls until `condition()` is true, and gives what it was."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Server:
    """A command that runs until Ctrl-C, from its ready line to its end."""

    def __init__(self, *arguments, cluster=None, env=None, within=()):
        self.process = start(*arguments, "--json", cluster=cluster, env=env, within=within)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"ended before it was ready: {finish(self.process)}")
        self.ready = json.loads(line)
        self.address = self.ready["address"]
        self.pids = self.ready["pids"]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            result = finish(self.process, 20)
        finally:
            for pid in self.pids:  # never leave one behind, whatever went wrong
                if alive(pid):
                    kill(pid)
        if kind is None and not getattr(self, "killed", False):
            assert result.status in (0, 130), result

    def succeed(self, *arguments, **where):
        return succeed(*arguments, cluster=self.address, **where)

    def fail(self, *arguments, **where):
        return fail(*arguments, cluster=self.address, **where)

    def start(self, *arguments, **where):
        return start(*arguments, cluster=self.address, **where)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
