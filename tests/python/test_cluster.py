"""Clusters and their matrices from Python."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import marked

import hearth
from hearth._layout import rows_of_key


@pytest.fixture(scope="module")
def matrix(cluster, digits):
    return cluster.put("digits", digits)


def test_a_matrix_knows_what_it_is(cluster, matrix, digits):
    assert (matrix.shape, matrix.dtype, matrix.ndim, matrix.size, matrix.nbytes, len(matrix)) == \
        (digits.shape, digits.dtype, 2, digits.size, digits.nbytes, 1000)
    assert "digits" in cluster and "nothing" not in cluster
    assert [m.name for m in cluster.ls()] == ["digits"]
    assert cluster["digits"].shape == digits.shape
    for text in (repr(matrix), matrix._repr_html_(), cluster._repr_html_()):
        assert "digits" in text or "worker" in text


def test_reading_is_as_numpy_reads(matrix, digits):
    assert np.array_equal(matrix[10:20], digits[10:20])
    assert type(matrix[10:20]) is hearth.Array and not matrix[10:20].flags.writeable
    for key in (3, -1, np.s_[5:50:7, ::-1], np.s_[..., 2], [1, 2, 5], digits[:, 0] > 0):
        assert np.array_equal(matrix[key], digits[key])
    assert np.array_equal(np.asarray(matrix), digits)
    assert np.asarray(matrix, dtype="f4").dtype == np.float32
    assert len(pickle.dumps(matrix[10:20])) < 300


def test_numpys_functions_go_to_the_workers(cluster, matrix, digits):
    before = len(cluster.jobs())
    assert np.allclose(np.sum(matrix, axis=0), digits.sum(axis=0))
    assert np.allclose(np.quantile(matrix, [0.1, 0.5], axis=0), np.quantile(digits, [0.1, 0.5], axis=0))
    assert np.std(matrix, ddof=1) == pytest.approx(digits.std(ddof=1))
    assert len(cluster.jobs()) == before + 3
    assert np.array_equal(np.sort(matrix, axis=0), np.sort(digits, axis=0))  # no operation: NumPy itself
    assert np.allclose(np.concatenate([matrix, digits]), np.concatenate([digits, digits]))
    counts, edges = np.histogram(matrix, bins=7)
    assert np.array_equal(counts, np.histogram(digits, bins=7)[0])
    assert len(edges) == 8


def test_products(matrix, digits):
    v, w = np.arange(16.0), np.arange(1000.0)
    assert np.allclose(matrix @ v, digits @ v)
    assert np.allclose(w @ matrix, w @ digits)
    assert np.allclose(matrix.gram(), digits.T @ digits)
    assert np.allclose(matrix @ digits.T, digits @ digits.T)


def test_arrays_and_files_need_no_name(cluster, digits, tmp_path):
    np.save(tmp_path / "d.npy", digits)
    mapped = hearth.load(tmp_path / "d.npy")
    for source in (digits, hearth.share(digits), mapped, tmp_path / "d.npy", mapped[100:900]):
        expected = digits[100:900] if source is mapped[100:900] else np.asarray(
            digits if isinstance(source, os.PathLike) else source)
        assert cluster.run("sum", source) == pytest.approx(expected.sum())
    assert not [m for m in cluster.ls() if m.name.startswith("_lent")]


def test_names_come_and_go(cluster, digits):
    named = cluster.put("fleeting", digits[:10])
    view = named[2:4]
    with pytest.raises(hearth.errors.NameTaken):
        cluster.put("fleeting", digits)
    assert cluster.put("fleeting", digits[:5], replace=True).shape == (5, 16)
    cluster.rm("fleeting")
    assert np.array_equal(view, digits[2:4])
    with pytest.raises(LookupError):
        cluster.get("fleeting")


def test_errors_have_their_kinds(cluster, matrix):
    with pytest.raises(hearth.errors.BadUsage):
        cluster.run("nonsense", matrix)
    with pytest.raises(hearth.errors.BadParameter):
        matrix.sum(axis=7)
    with pytest.raises(FileNotFoundError):
        cluster.run("sum", "/nowhere/none.npy")
    with pytest.raises(hearth.errors.BadUsage, match="HEARTH_CLUSTER"):
        hearth.connect()


def test_jobs_are_futures(cluster, matrix, digits):
    jobs = [matrix.submit("sum", axis=axis) for axis in (0, 1, None)]
    done, waiting = concurrent.futures.wait(jobs, timeout=60)
    assert not waiting and len(done) == 3
    assert np.allclose(jobs[0].result(), digits.sum(axis=0))
    assert jobs[0].statistics["bytes_copied"] == 0
    assert isinstance(jobs[2].result(), float)
    for job in concurrent.futures.as_completed([matrix.submit("mean")], timeout=60):
        assert job.result() == pytest.approx(digits.mean())
    calls = []
    cluster.run("sum", matrix, progress=lambda done, total: calls.append((done, total)))


def test_results_may_be_written_to(cluster, matrix):
    for axis in (0, 1, None):
        result = np.asarray(matrix.sum(axis=axis, keepdims=True))
        result += 1
    cluster.make("long", (200_000, 2))
    rows = cluster["long"].sum(axis=1)  # too large for a message: a segment
    rows -= rows
    assert not rows.any()


def test_a_job_can_be_cancelled(cluster):
    big = cluster.make("big", (30_000, 2000))
    *before, job = [big.submit("gram") for _ in range(6)]  # seconds each
    assert job.cancel() and job.cancelled()
    for other in before:
        other.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result()
    cluster.rm("big")


def test_asyncio(digits):
    async def work():
        async with await hearth.aio.local(workers=1) as cluster:
            m = await hearth.aio.share(digits)
            await cluster.put("m", m)
            first, second = await asyncio.gather(cluster.submit("sum", "m"), cluster.run("mean", m))
            handle = m.handle
            assert np.array_equal(await hearth.aio.open(handle), digits)
            return first, second

    assert asyncio.run(work()) == pytest.approx((digits.sum(), digits.mean()))


def total_at(address, queue):
    with hearth.connect(address) as own:
        queue.put(float(own["digits"].sum()))


def test_a_cluster_pickles_as_its_address_and_a_fork_is_told(cluster, matrix, digits):
    again = pickle.loads(pickle.dumps(cluster))
    assert again["digits"].sum() == pytest.approx(digits.sum())
    again.close()
    with pytest.raises(hearth.errors.ClusterEnded, match="closed"):
        again.ls()

    def child(queue):
        for use in cluster.ls, lambda: hearth.connect(cluster.address), hearth.local:
            try:
                use()
            except hearth.Error as error:
                queue.put(str(error))

    for method, target in ("fork", child), ("spawn", total_at):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        arguments = (queue,) if method == "fork" else (cluster.address, queue)
        process = context.Process(target=target, args=arguments)
        process.start()
        if method == "fork":
            assert all("spawn or forkserver" in queue.get() for _ in range(3))
        else:
            assert queue.get() == pytest.approx(digits.sum())
        process.join()
        assert process.exitcode == 0
    assert cluster.run("sum", matrix) == pytest.approx(digits.sum())


def test_ctrl_c_ends_a_wait_and_the_job():
    script = """
import hearth, sys
with hearth.local(workers=1) as cluster:
    m = cluster.make("m", (20_000, 2000))
    print("go", flush=True)
    try:
        while True:
            m.quantile([0.1, 0.5, 0.9], axis=0)
    except KeyboardInterrupt:
        print("interrupted", [job["state"] for job in cluster.jobs()][-1], flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "go\n"
        time.sleep(0.5)
        other.send_signal(signal.SIGINT)
        began = time.monotonic()
        words = other.stdout.readline().split()
        assert words[0] == "interrupted"
        assert time.monotonic() - began < 5
    assert other.returncode == 0


def test_a_killed_parent_takes_its_cluster_along():
    mark = f"HEARTH_TEST_MARK={os.getpid()}.{time.monotonic_ns()}"
    name, value = mark.split("=")
    script = ("import hearth, time, os\nc = hearth.local(workers=2)\n"
              "if os.fork() == 0:\n    time.sleep(600)\nprint('up', flush=True)\ntime.sleep(600)\n")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, name: value}) as other:
        assert other.stdout.readline() == "up\n"
        assert len(marked(mark)) >= 5
        other.kill()
    deadline = time.monotonic() + 10
    while len(left := marked(mark)) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        assert len(left) == 1  # the forked child, which holds nothing of the cluster
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)


def test_an_index_tells_the_rows_that_it_touches():
    """rows_of_key: whatever an index takes of all rows, it takes of those alone."""
    array = np.arange(40).reshape(10, 4)
    for key in (3, -1, slice(2, 5), slice(None, 4), slice(-3, None), slice(8, 2, -2), slice(1, 9, 3), (2, 1),
                (slice(1, 3), slice(None, 2)), (slice(1, 3), ..., 0), (0, None), (slice(2, 4), [0, 2])):
        begin, end, rest = rows_of_key(key, array.shape)
        assert end - begin < 10
        np.testing.assert_array_equal(array[begin:end][rest], array[key])
    for key in (slice(None), slice(None, None, -1), ..., None, [1, 2], slice(3, 3), 10, -11, array[:, 0] > 3, (None, 1)):
        assert rows_of_key(key, array.shape) is None
