"""Clusters and their matrices from Python."""

import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import uuid

import numpy as np
import pytest
from hearth_process import Server, succeed
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


def test_a_matrix_s_info_is_what_the_command_prints(cluster, tmp_path):
    np.save(tmp_path / "f.npy", np.asfortranarray(np.arange(12, dtype=">i4").reshape(3, 4)))
    for name, source in (("flipped", tmp_path / "f.npy"), ("plain", np.ones((2, 3), "f4"))):
        told = cluster.put(name, source).info
        printed = succeed("info", name, cluster=cluster.address)
        printed["file"] = printed["file"] or ""
        assert json.loads(json.dumps({key: told[key] for key in printed})) == printed
        cluster.rm(name)


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


def test_a_leave_to_overwrite_is_not_made_use_of(cluster, matrix, digits):
    for arguments in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
        assert np.allclose(np.median(matrix, overwrite_input=True, **arguments), np.median(digits, **arguments))
        assert np.allclose(np.percentile(matrix, 30, overwrite_input=True, **arguments),
                           np.percentile(digits, 30, **arguments))
        assert np.allclose(np.nanmedian(matrix, overwrite_input=True, **arguments), np.nanmedian(digits, **arguments))
    into = np.empty(16)
    assert np.allclose(np.median(matrix, 0, into, True), np.median(digits, axis=0))


def test_names_come_and_go(cluster, digits):
    named = cluster.put("fleeting", digits[:10])
    view = named[2:4]
    with pytest.raises(hearth.errors.NameTaken, match="replace=True"):  # not --replace, as the command has it
        cluster.put("fleeting", digits)
    assert cluster.put("fleeting", digits[:5], replace=True).shape == (5, 16)
    cluster.rm("fleeting")
    assert np.array_equal(view, digits[2:4])
    with pytest.raises(LookupError):
        cluster.get("fleeting")


def test_the_same_bytes_may_be_read_in_several_ways(cluster, tmp_path):
    shared = hearth.share(np.arange(6.0).reshape(2, 3))
    for name, view in (("turned", shared.T), ("flat", shared.reshape(6)), ("whole", shared.view("i8"))):
        made = cluster.put(name, view)
        assert np.array_equal(np.asarray(made), view) and np.asarray(made).dtype == view.dtype
        assert np.array_equal(made[1:], view[1:])
        assert cluster.get(name).shape == view.shape
        cluster.rm(name)
    path = tmp_path / "six.raw"
    np.arange(6.0).tofile(path)
    ways = [hearth.load(path, dtype=dtype, shape=shape) for dtype, shape in (("f8", 6), ("i8", (2, 3)), ("f4", 12))]
    for way in ways:
        assert np.array_equal(way, np.fromfile(path, way.dtype).reshape(way.shape))
        assert np.array_equal(pickle.loads(pickle.dumps(way)), way)


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
    for _ in range(5):  # the cluster's answer and the caller's own race each other
        *before, job = [big.submit("gram") for _ in range(6)]  # seconds each
        assert job.cancel() and job.cancelled()
        for other in before:
            assert other.cancel() and other.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result()
    # They waited for ever: a future of Python's is told twice that it is cancelled.
    assert not concurrent.futures.wait([job, *before], timeout=10).not_done
    assert len(list(concurrent.futures.as_completed(before, timeout=10))) == len(before)
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


@pytest.mark.parametrize("child", ["plain", "full"])
def test_a_killed_parent_takes_its_cluster_along(child):
    mark = f"HEARTH_TEST_MARK={os.getpid()}.{time.monotonic_ns()}"
    name, value = mark.split("=")
    script = ("import hearth, time, os, resource, sys\nc = hearth.local(workers=2)\n"
              "if sys.argv[1] == 'full':\n"  # of descriptors: it can open nothing
              "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
              "if os.fork() == 0:\n    time.sleep(600)\nprint('up', flush=True)\ntime.sleep(600)\n")
    with subprocess.Popen([sys.executable, "-c", script, child], stdout=subprocess.PIPE, text=True,
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


def test_a_matrix_is_in_expressions_what_an_array_is(cluster, matrix, digits):
    for of in (lambda a: a + 1, lambda a: 1 - a, lambda a: a == digits[0, 0], lambda a: digits[0, 0] != a,
               lambda a: a > 3, lambda a: -a, lambda a: a * a, lambda a: divmod(a, 2)[1], lambda a: a[()]):
        result = of(matrix)
        assert np.array_equal(result, of(digits)) and result.dtype == of(digits).dtype
    assert {matrix: 1}[matrix] == 1
    with pytest.raises(ValueError, match="read-only"):
        matrix += 1
    one = cluster.put("no_axes", np.array(3.0))
    assert one[()] == 3 and type(one[()]) is np.float64 and one[...].shape == ()
    cluster.rm("no_axes")


def test_quantiles_of_a_table_are_numpy_s_or_refused(matrix, digits):
    table = [[0.1, 0.2], [0.3, 0.4]]
    assert np.allclose(np.quantile(matrix, table), np.quantile(digits, table))
    with pytest.raises(hearth.errors.BadUsage, match="lists"):
        matrix.quantile(table)  # was flattened


def test_shapes_are_what_numpy_takes(cluster):
    assert cluster.make("made_1", np.int64(5)).shape == (5,)
    assert cluster.make("made_2", [2, np.int8(3)]).shape == (2, 3)
    for wrong, error in ((-1, hearth.errors.BadUsage), ((3, -4), hearth.errors.BadUsage), (2.5, TypeError)):
        with pytest.raises(error):
            cluster.make("made_3", wrong)
    for name in ("made_1", "made_2"):
        cluster.rm(name)


# Who publishes a name anew takes the bytes away that a reader has just looked up.
def test_a_name_that_is_published_anew_can_be_read_all_the_time(cluster):
    arrays = [hearth.share(np.full(100, float(i))) for i in range(8)]
    cluster.put("anew", np.full(100, 0.0))
    ended = threading.Event()

    def publish():
        for i in range(300):
            cluster.put("anew", np.array(arrays[i % 8]), replace=True)
        ended.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    with hearth.connect(cluster.address) as other:
        while not ended.is_set():
            read = other["anew"].array()
            assert read.shape == (100,) and (read == read[0]).all()
    publisher.join()
    cluster.rm("anew")


def test_asyncio_has_all_that_waits(digits):
    async def work():
        async with await hearth.aio.local(workers=1) as cluster:
            m = await cluster.put("m", digits)
            assert np.array_equal(await cluster.map_blocks(np.abs, m), np.abs(digits))
            assert await cluster.map_reduce(len, m, int.__add__) == len(digits)
            assert (await cluster.explain("sum", m))["row_blocks"] == m.info["row_blocks"]
            assert [worker["state"] for worker in await cluster.workers()] == ["ready"]
            big = await cluster.make("big", (30_000, 2000))
            for seconds in (0.0, 0.001, 0.05):  # before it was submitted, and after
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(cluster.run("gram", big), seconds)
            for _ in range(100):
                jobs = await cluster.jobs()
                if all(job["state"] != "running" for job in jobs):
                    break
                await asyncio.sleep(0.05)
            assert {job["state"] for job in jobs if job["operation"] == "gram"} <= {"cancelled"}
            with pytest.raises(hearth.errors.JobUnknown):
                await cluster.cancel("nonsense")

    asyncio.run(work())


def test_several_arrays_go_to_other_processes(matrix, digits):
    for several in (matrix.describe(), matrix.histogram(bins=4)):
        back = pickle.loads(pickle.dumps(several))
        assert type(back) is type(several) and back._fields == several._fields
        assert all(np.array_equal(here, there) for here, there in zip(several, back))
    counts, edges = matrix.histogram(bins=4)
    assert counts.sum() == digits.size and len(edges) == 5


def test_what_was_loaded_out_of_a_raw_file_or_an_archive_is_put(cluster, tmp_path):
    rows = np.arange(600.0).reshape(100, 6)
    rows.tofile(tmp_path / "x.raw")
    np.savez(tmp_path / "x.npz", other=rows, flipped=rows.T.copy())
    raw = hearth.load(tmp_path / "x.raw", dtype="float64", shape=(100, 6))
    member = hearth.load(f"{tmp_path}/x.npz:flipped")
    for name, array in (("raw", raw), ("member", member)):
        matrix = cluster.put(name, array)
        assert np.array_equal(np.asarray(matrix), array)
        assert matrix.sum() == rows.sum()
        cluster.rm(name)


def test_a_client_outlives_the_workers_that_it_met():
    """The keeper of a host that is started again has another address."""
    with Server("coordinator", "--listen", f"unix-abstract:hosts-{uuid.uuid4()}") as coordinator, \
            hearth.connect(coordinator.address) as early:
        with Server("worker", "--coordinator", coordinator.address, "--workers", 1):
            early.put("first", np.arange(3))  # there was no worker as it connected
            with hearth.connect(coordinator.address) as met:
                met.put("second", np.arange(3))
                met.rm("second")
            early.rm("first")
        with Server("worker", "--coordinator", coordinator.address, "--workers", 1):
            assert early.put("third", np.arange(3)).sum() == 3
            with pytest.raises(hearth.Error, match="2 replicas need 2 hosts; 1 is ready"):
                early.put("fourth", np.arange(3), replicas=2)
