"""A matrix that no host has room for, on the hosts that have it together."""

import numpy as np
import pytest

from conftest import ClusterOfHosts
from hearth_process import succeed
from memory_probe import MIB

ROWS, COLUMNS = 163_840, 128  # 160 MiB, on hosts of 80
BYTES = ROWS * COLUMNS * 8
MEMORY = "80M"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    succeed("make", path, "--shape", f"{ROWS},{COLUMNS}", "--seed", 7)
    return path


OPERATIONS = [("sum",), ("mean", "axis=0"), ("mean", "axis=1"), ("gram",),
              ("quantile", "q=0.3", "axis=0")]


@pytest.fixture(scope="module")
def expected(matrix, tmp_path_factory):
    out = tmp_path_factory.mktemp("expected") / "out.npy"
    bits = {}
    for operation in OPERATIONS:
        succeed("run", operation[0], matrix, *operation[1:], "-o", out)
        bits[operation] = np.load(out).tobytes()
    return bits


@pytest.fixture
def cluster(hosts):
    cluster = ClusterOfHosts(hosts, memory=MEMORY)
    with cluster.stack:
        yield cluster


def test_make(cluster, expected, tmp_path):
    out = tmp_path / "out.npy"
    info = cluster.succeed("make", "m", "--shape", f"{ROWS},{COLUMNS}", "--seed", 7)
    print(info)
    for operation in OPERATIONS:
        job = cluster.succeed("run", operation[0], "m", *operation[1:], "-o", out)["job"]
        print(operation, job)
        assert np.load(out).tobytes() == expected[operation]


def test_put(cluster, matrix, expected, tmp_path):
    out = tmp_path / "out.npy"
    info = cluster.succeed("put", "m", matrix, "--copy")
    print(info)
    for operation in OPERATIONS:
        job = cluster.succeed("run", operation[0], "m", *operation[1:], "-o", out)["job"]
        print(operation, job)
        assert np.load(out).tobytes() == expected[operation]
