"""What people already use takes a view as an array, and copies nothing of it."""

import os
import subprocess
import sys

import numpy as np
import pytest

import hearth

# Reads all of it through what it is given; prints how much memory of its own that took.
MEASURED = """
import gc, sys
import numpy as np, hearth
{setup}
def own_kb():
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
m = hearth.open(sys.argv[1])
small = np.random.default_rng(0).random((200, m.shape[1]))
use = {use}
use(small); use(small); gc.collect()
before = own_kb()
result = use(m)
print(own_kb() - before, float(np.sum(np.abs(result))))
"""

READERS = {
    "numpy sum": ("", "lambda a: np.sum(a, axis=0)"),
    "numpy einsum": ("", "lambda a: np.einsum('ij,ij->j', a, a)"),
    "numpy matmul": ("", "lambda a: a @ np.ones(a.shape[1])"),
    "numpy percentile of a column": ("", "lambda a: np.percentile(a[:1000, 3], 50)"),
    "scipy blas": ("import scipy.linalg.blas as b", "lambda a: b.dgemv(1.0, a.T, np.ones(a.shape[1]), trans=1)"),
    "scipy cdist": ("from scipy.spatial.distance import cdist", "lambda a: cdist(a, np.zeros((1, a.shape[1])))"),
    "scipy kd-tree": ("from scipy.spatial import cKDTree", "lambda a: cKDTree(a, copy_data=False, leafsize=4096).n"),
    "sklearn predict": ("from sklearn.linear_model import LinearRegression as L",
                        "lambda a: L().fit(np.eye(a.shape[1]), np.arange(a.shape[1])).predict(a)"),
    "sklearn k-means": ("from sklearn.cluster import MiniBatchKMeans as K",
                        "lambda a: K(2, n_init=1, max_iter=1, random_state=0, batch_size=256).fit(a).inertia_"),
    "sklearn pairwise": ("from sklearn.metrics import pairwise_distances_argmin as p",
                         "lambda a: p(a, np.zeros((2, a.shape[1])))"),
}
ROWS, COLUMNS = 200_000, 20  # 31 MiB


@pytest.fixture(scope="module")
def big():
    return hearth.share(np.random.default_rng(0).random((ROWS, COLUMNS)))


@pytest.mark.parametrize("name", READERS)
def test_reads_without_a_copy(big, name):
    setup, use = READERS[name]
    done = subprocess.run([sys.executable, "-c", MEASURED.format(setup=setup, use=use), big.handle],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    kilobytes = float(done.stdout.split()[0])
    # Results as long as the matrix are allowed: a number or two a row, not its 20.
    assert kilobytes < ROWS * 8 * 4 / 1024, f"{kilobytes:.0f} kB of its own for {big.nbytes >> 10} kB"


WRITERS = {
    "numpy nan_to_num": lambda a: np.nan_to_num(a, copy=False),
    "numpy shuffle": lambda a: np.random.default_rng(0).shuffle(a),
    "numpy fill_diagonal": lambda a: np.fill_diagonal(a, 0),
    "numpy copyto": lambda a: np.copyto(a, 0),
    "sklearn scale": lambda a: __import__("sklearn.preprocessing").preprocessing.StandardScaler(
        copy=False).fit_transform(a),
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_leave_a_sealed_matrix_alone_and_work_on_a_private_view(name):
    source = np.random.default_rng(0).random((50, 50))
    shared = hearth.share(source)
    try:
        WRITERS[name](shared)
    except ValueError as error:
        assert "read-only" in str(error) or "sealed" in str(error)
    assert np.array_equal(shared, source)
    private = shared.private()
    WRITERS[name](private)
    assert np.array_equal(shared, source)
    assert name == "numpy nan_to_num" or not np.array_equal(private, source)


def test_what_overwrites_without_asking_works_on_a_private_view():
    from scipy.linalg import lapack
    source = np.random.default_rng(0).random((50, 50))
    shared = hearth.share(np.asfortranarray(source))
    private = shared.private()
    factors, _, _ = lapack.dgetrf(private, overwrite_a=1)
    assert np.shares_memory(factors, private)
    assert np.array_equal(shared, source)
