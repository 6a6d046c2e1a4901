"""Ten hosts of a tenth of a core each, all bytes in the memory of one: what is
quicker computed there stays there, what is not is shared out.
"""

import contextlib
import os
import pathlib

import numpy as np
import pytest

from conftest import ClusterOfHosts
from hearth_process import succeed
from network_hosts import Network

HOSTS = 10
CPU = pathlib.Path("/sys/fs/cgroup/cpu")
PERIOD_US, QUOTA_US = 20_000, 2_000
HEAVY = ("gram", (8192, 2048))
LIGHT = ("sum", (131_072, 256))


def missing():
    if not (CPU / "cpu.cfs_quota_us").is_file() or not os.access(CPU, os.W_OK):
        return "hosts of a tenth of a core need a writable cgroup v1 at /sys/fs/cgroup/cpu"
    return ""


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@contextlib.contextmanager
def slow_host(name, pids):
    group = CPU / name
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (CPU / "cgroup.procs").write_text(pid)
        group.rmdir()


@pytest.fixture(scope="module")
def ten():
    with Network(HOSTS) as network:
        cluster = ClusterOfHosts(network.hosts, workers=1)
        with cluster.stack:
            with contextlib.ExitStack() as stack:
                for host, server in zip(network.hosts, cluster.workers):
                    stack.enter_context(slow_host(host.name, server.pids))
                yield cluster


def measure(cluster, operation, name, out, *words):
    job = cluster.succeed("run", operation, name, "-o", out, *words)["job"]
    print(f"{operation} {' '.join(words) or '--workers 10'}: {job['seconds']:.2f} s, "
          f"{job['workers']} hosts took part, "
          f"{job['bytes_streamed'] / 2**20:.0f} MiB streamed")
    return job


@pytest.mark.slow
@pytest.mark.parametrize("operation,shape", [HEAVY, LIGHT], ids=["gram", "sum"])
def test_work_goes_where_it_is_done_soonest(ten, tmp_path, operation, shape):
    path, out = tmp_path / "m.npy", tmp_path / "out.npy"
    np.save(path, np.random.default_rng(9).standard_normal(shape))
    succeed("run", operation, path, "-o", out)
    expected = out.read_bytes()
    # A matrix each: where a copy of it lies counts as at home afterwards.
    ten.succeed("put", "one", path, "--copy", "--replace", at=1)
    ten.succeed("put", "all", path, "--copy", "--replace", at=1)
    alone = measure(ten, operation, "one", out, "--workers", "1")
    assert out.read_bytes() == expected
    shared = measure(ten, operation, "all", out)
    assert out.read_bytes() == expected
    assert alone["bytes_streamed"] == 0
    if operation == LIGHT[0]:
        # A task for each of the others, until it is known what a crossing costs.
        assert shared["bytes_streamed"] <= np.prod(shape) * 8 / 4
    else:
        assert shared["workers"] >= 3 or shared["seconds"] < 1.2 * alone["seconds"]
        assert shared["seconds"] < 1.5 * alone["seconds"]
    for name in ("one", "all"):
        ten.succeed("rm", name)
