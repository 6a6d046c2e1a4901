"""Three hosts for a session of tests, and a fresh cluster on them for each."""

import contextlib

import pytest

from hearth_process import BINARY
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
    """A coordinator on the first host, workers on all."""

    def __init__(self, hosts, security=("--insecure",), workers=2, hidden=None, env=None):
        self.hosts, self.security = hosts, security
        self.stack = contextlib.ExitStack()
        self.coordinator = self.stack.enter_context(
            hosts[0].serve("coordinator", "--listen", f"{hosts[0].address}:0", *security))
        self.address = self.coordinator.address
        self.workers = [self.stack.enter_context(
            host.serve("worker", "--coordinator", self.address, "--workers", workers, *security,
                       env=env, hidden=None if host is hosts[0] else hidden))
            for host in hosts]

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
