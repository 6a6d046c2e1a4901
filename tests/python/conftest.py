"""The package as `pip install` put it; this folder on the children's path."""

import multiprocessing
import os
import pathlib
import signal
import sys

import numpy as np
import pytest

# Begun in the background, a test run ignores SIGINT: Ctrl-C would neither interrupt it nor what it starts,
# which have the default from here on.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])

import hearth  # noqa: E402 - after the path


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def context(request):
    return multiprocessing.get_context(request.param)


@pytest.fixture(scope="session")
def cluster():
    with hearth.local(workers=2) as made:
        yield made


@pytest.fixture(scope="session")
def digits():
    return np.random.default_rng(6).normal(size=(1000, 16))
