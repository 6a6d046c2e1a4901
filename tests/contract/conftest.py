"""One local cluster for a session of tests, and files in every form."""

import numpy as np
import pytest

from hearth_process import BINARY, Server


def pytest_configure(config):
    del config
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is not there: build it, or name it by HEARTH_BINARY", 1)


@pytest.fixture(scope="session")
def cluster():
    with Server("local", "--workers", "5") as server:
        yield server


@pytest.fixture
def rng(request):
    """Chance from a printed seed: the test's own name."""
    seed = sum(ord(letter) * 31**i for i, letter in enumerate(request.node.name)) % 2**32
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture
def square(tmp_path):
    """[[0 1 2] [3 4 5]], in a file."""
    path = tmp_path / "square.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    return path


@pytest.fixture
def name(request):
    """A name in the cluster that no other test has."""
    return "m" + "".join(letter if letter.isalnum() else "_" for letter in request.node.name)[:100]
