"""Three hosts for a session of tests, and a fresh cluster on them for each."""

import contextlib

import pytest

from hearth_process import BINARY, finish, kill
from network_hosts import Network


def pytest_configure(config):
    del config
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is not there: build it, or name it by HEARTH_BINARY", 1)


@pytest.fixture(scope="session")
def hosts():
    with Network(3) as network:
        yield network.hosts


class ClusterOfHosts:
    """A coordinator on the first host, workers on all. With a folder for its
    `state`, the coordinator can be killed and started again."""

    def __init__(self, hosts, security=("--insecure",), workers=2, hidden=None, env=None,
                 state=None, instead=None, runtime_dir=None, memory=None, more=()):
        self.hosts, self.security, self.count, self.env = hosts, security, workers, env
        self.instead = instead
        self.shared = () if runtime_dir is None else ("--runtime-dir", runtime_dir)
        self.more = more  # options of the workers
        self.memory = () if memory is None else ("--memory", memory)  # of each host
        self.stack = contextlib.ExitStack()
        self.state = () if state is None else ("--state-dir", state)
        self.address = f"{hosts[0].address}:0"
        self.start_coordinator()
        self.stack.push(lambda *error: self.coordinator.__exit__(*error))
        self.workers = [self.serve_workers(host, None if host is hosts[0] else hidden)
                        for host in hosts]
        for number in range(len(hosts)):
            self.stack.push(lambda *error, at=number: self.workers[at].__exit__(*error))

    def start_coordinator(self):
        self.coordinator = self.hosts[0].serve(
            "coordinator", "--listen", self.address, *self.state, *self.security)
        self.address = self.coordinator.address

    def kill_coordinator(self):
        kill(self.coordinator.pids[0])
        finish(self.coordinator.process)

    def serve_workers(self, host, hidden=None):
        return host.serve("worker", "--coordinator", self.address, "--workers", self.count,
                          *self.memory, *self.security, *self.shared, *self.more, env=self.env,
                          hidden=hidden, instead=self.instead)

    def kill_host(self, at):
        """All of its workers and their keeper, at once."""
        for pid in self.workers[at].pids:
            kill(pid)
        self.workers[at].killed = True

    def start_host_again(self, at):
        finish(self.workers[at].process, 20)
        self.workers[at] = self.serve_workers(self.hosts[at])

    def ready(self, at=0):
        return [worker for worker in self.succeed("workers", at=at)["workers"]
                if worker["state"] == "ready"]

    def words(self, arguments):
        return (*arguments, "--cluster", self.address, *self.security)

    def succeed(self, *arguments, at=0):
        return self.hosts[at].succeed(*self.words(arguments))

    def run(self, *arguments, at=0):
        return self.hosts[at].run(*self.words(arguments))

    def start(self, *arguments, at=0):
        return self.hosts[at].start(*self.words(arguments))


@pytest.fixture
def cluster(hosts):
    cluster = ClusterOfHosts(hosts)
    with cluster.stack:
        yield cluster
