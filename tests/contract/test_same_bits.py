"""A result has the same bits whatever the number of workers and where the bytes lie."""

import numpy as np
import pytest

from hearth_process import Server, environment, succeed

OPERATIONS = [
    ("sum",), ("sum", "axis=0"), ("sum", "axis=1"), ("prod", "axis=0"), ("mean",),
    ("mean", "axis=0"), ("var", "axis=0"), ("std",), ("min", "axis=0"), ("max", "axis=1"),
    ("argmin",), ("argmax", "axis=0"), ("any",), ("all", "axis=1"), ("count_nonzero",),
    ("norm",), ("norm", "ord=1", "axis=0"), ("norm", "ord=3"), ("quantile", "q=0.1,0.5"),
    ("quantile", "q=0.3", "axis=0"), ("median", "axis=1"), ("histogram", "bins=7"), ("describe",),
    ("matvec", "v=V"), ("rmatvec", "v=W"), ("gram",), ("matmul", "b=B"),
    ("cov",), ("corrcoef", "ddof=0"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Eighteen row blocks of 1 MiB, in both orders, with factors for products."""
    folder = tmp_path_factory.mktemp("bits")
    rng = np.random.default_rng(42)
    array = rng.standard_normal((36_000, 64)) * 10.0 ** rng.integers(-6, 6, (36_000, 64))
    np.save(folder / "c.npy", array)
    np.save(folder / "f.npy", np.asfortranarray(array))
    np.save(folder / "v.npy", rng.standard_normal(64))
    np.save(folder / "w.npy", rng.standard_normal(36_000))
    np.save(folder / "b.npy", rng.standard_normal((64, 20)).astype(np.float32))
    return folder


def arguments(operation, files):
    return [part.replace("=V", f"={files}/v.npy").replace("=W", f"={files}/w.npy")
            .replace("=B", f"={files}/b.npy") for part in operation[1:]]


def load(path):
    found = np.load(path)
    if isinstance(found, np.ndarray):
        return {"": found.tobytes()}
    return {name: found[name].tobytes() for name in found}


def bits(compute, operation, matrix, files, out, *options):
    fields = operation[0] in ("histogram", "describe")
    path = out / ("out.npz" if fields else "out.npy")
    answer = compute("run", operation[0], matrix, *arguments(operation, files), *options, "-o", path)
    return load(path), answer["job"]


@pytest.mark.parametrize("order", ["c", "f"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_by_any_number_of_workers_from_file_and_memory(cluster, files, tmp_path, name, operation,
                                                       order):
    path = files / f"{order}.npy"
    expected, job = bits(cluster.succeed, operation, path, files, tmp_path, "--workers", "1")
    assert job["workers"] == 1 and job["row_blocks"] > 3
    for workers in ("2", "3", "5"):
        found, _ = bits(cluster.succeed, operation, path, files, tmp_path, "--workers", workers)
        assert found == expected, f"{workers} workers"
    cluster.succeed("put", name, path, "--copy", "--replace")
    found, _ = bits(cluster.succeed, operation, name, files, tmp_path)
    assert found == expected, "from memory"
    cluster.succeed("rm", name)


@pytest.mark.parametrize("operation", OPERATIONS[::5], ids=" ".join)
def test_in_an_embedded_cluster(cluster, files, tmp_path, operation):
    expected, _ = bits(cluster.succeed, operation, files / "c.npy", files, tmp_path)
    found, job = bits(succeed, operation, files / "c.npy", files, tmp_path, "--workers", "3")
    assert found == expected and job["workers"] <= 3


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_by_sixteen_workers_of_which_one_is_killed_in_the_middle(cluster, files, tmp_path,
                                                                 operation):
    expected, _ = bits(cluster.succeed, operation, files / "c.npy", files, tmp_path)
    once = tmp_path / "once"
    env = environment(HEARTH_CRASH_AT="worker.compute", HEARTH_CRASH_ONCE=once)
    with Server("local", "--workers", "16", env=env) as local:
        found, job = bits(local.succeed, operation, files / "c.npy", files, tmp_path)
    assert once.exists(), "nobody was killed: the test proves nothing"
    assert found == expected
    assert job["retries"] >= 1
