"""Files in place, and arrays that many processes fill."""

import os
import pickle
import resource
import sys
import threading
import time

import children
import numpy as np
import pytest

import hearth
from hearth.array import segment_of


@pytest.fixture
def eager_threads():
    """Threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", ">f4", "?", "c16", "M8[s]", [("a", "i4"), ("b", "f8")]])
def test_a_file_is_mapped_in_place(tmp_path, context, dtype, order):
    source = np.zeros((50, 4), dtype, order=order)
    path = tmp_path / "x.npy"
    np.save(path, source)
    mapped = hearth.load(path)
    assert mapped.dtype == source.dtype and mapped.shape == source.shape
    assert np.array_equal(mapped, source) and not mapped.flags.writeable
    assert mapped.flags.f_contiguous == source.flags.f_contiguous
    again = pickle.loads(pickle.dumps(mapped[10:20]))
    assert np.array_equal(again, source[10:20])


def test_a_file_goes_to_another_process_by_its_descriptor(tmp_path, context):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(1000.0))
    mapped = hearth.load(path)
    os.rename(path, tmp_path / "y.npy")
    with context.Pool(1) as pool:
        found = pool.apply(children.facts, (mapped,))
        assert found[:3] == (499500.0, "Array", True)


def test_raw_files_and_npz_members(tmp_path):
    source = np.arange(60, dtype="<i4").reshape(5, 12)
    (tmp_path / "x.raw").write_bytes(b"head" + source.tobytes())
    assert np.array_equal(hearth.load(tmp_path / "x.raw", "<i4", (5, 12), offset=4), source)
    np.savez(tmp_path / "x.npz", a=source, b=source * 2.5)
    assert np.array_equal(hearth.load(f"{tmp_path}/x.npz:b"), source * 2.5)
    assert np.array_equal(pickle.loads(pickle.dumps(hearth.load(f"{tmp_path}/x.npz:b")[2])),
                          source[2] * 2.5)


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        hearth.load(tmp_path / "none.npy")
    assert isinstance(missing.value, hearth.Error) and missing.value.reason == "file-missing"
    np.save(tmp_path / "short.npy", np.arange(100.0))
    os.truncate(tmp_path / "short.npy", 300)
    with pytest.raises(hearth.errors.BadFile):
        hearth.load(tmp_path / "short.npy")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(hearth.errors.BadUsage, match="Python objects"):
        hearth.load(tmp_path / "objects.npy")


def test_private_views_of_a_file_are_its_c_mode(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(10.0))
    private = hearth.load(tmp_path / "x.npy").private()
    private[:] = 0
    assert np.load(tmp_path / "x.npy").sum() == 45


def test_processes_fill_their_rows_and_one_seals(context):
    array = hearth.empty((8, 1000), "f4")
    assert array.sum() == 0 and array.flags.writeable and not array.sealed
    workers = [context.Process(target=children.fill_rows, args=(array, 2 * i, 2 * i + 2))
               for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(array, np.repeat(np.arange(8, dtype="f4"), 1000).reshape(8, 1000))
    view = array[2:4]
    assert array.seal() is array and array.sealed
    for sealed in (array, view):
        with pytest.raises(hearth.errors.ReadOnly):
            sealed[0] = 1
    assert pickle.loads(pickle.dumps(array)).sealed


def test_left_open_all_see_what_each_writes(context):
    array = hearth.sharedmem.zeros(4, "i8")
    with context.Pool(1) as pool:
        pool.apply(children.fill, (array, 2, 7))
    assert list(array) == [0, 0, 7, 0]
    assert pickle.loads(pickle.dumps(array[1:3]))[1] == 7


def test_sealing_names_who_still_writes(context):
    array = hearth.empty(1000)
    ready, leave = context.Event(), context.Event()
    other = context.Process(target=children.hold, args=(array, ready, leave))
    other.start()
    ready.wait()
    with pytest.raises(hearth.errors.SegmentBusy, match=f"{other.pid}"):
        array.seal()
    array[0] = 1  # still open
    leave.set()
    other.join()
    assert array.seal()[0] == 1


def test_a_view_taken_before_the_seal_can_neither_change_it_nor_crash():
    array = hearth.empty(1000)
    plain = np.asarray(array)
    array[:] = 3
    array.seal()
    plain[:] = 4  # its flag can't be reached; what it writes, nobody else sees
    assert pickle.loads(pickle.dumps(array)).sealed
    fresh = hearth.open(array.handle)
    assert fresh is not array and fresh.sealed


def test_a_pickle_that_meets_a_seal_stands_for_its_own_bytes(eager_threads):
    """Sealing closed the number that the pickling thread was sending, and the next array got it."""
    for delay in range(200):
        array = hearth.empty(4096, "u1")
        array[:] = 7
        start, pickled = threading.Barrier(2), []

        def pickling(array=array, start=start, pickled=pickled):
            start.wait()
            pickled.append(pickle.dumps(array))

        thread = threading.Thread(target=pickling)
        thread.start()
        start.wait()
        time.sleep(delay % 20 * 1e-5)
        array.seal()
        others = [hearth.share(np.full(4096, 9, "u1")) for _ in range(2)]
        thread.join()
        found = pickle.loads(pickled[0])
        assert (found == 7).all() and found.sealed and len(others) == 2


def test_threads_may_seal_the_same_array(eager_threads):
    for _ in range(200):
        array = hearth.empty(4096, "u1")
        start, failed = threading.Barrier(3), []

        def sealing(array=array, start=start, failed=failed):
            start.wait()
            try:
                array.seal()
            except BaseException as error:  # noqa: BLE001 - shown below
                failed.append(error)

        threads = [threading.Thread(target=sealing) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == [] and array.sealed and not array.flags.writeable


def test_sharedmem_drop_ins():
    from hearth import sharedmem
    assert sharedmem.empty((2, 3)).dtype == np.float64
    assert np.array_equal(sharedmem.ones((2, 3), "i4"), np.ones((2, 3), "i4"))
    assert np.array_equal(sharedmem.copy([[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    assert sharedmem.empty_like(np.zeros(3, "f4")).dtype == np.float32
    assert np.array_equal(sharedmem.full(3, 7), [7, 7, 7])


def test_what_memory_has_no_room_for_is_refused_before_it_is_touched():
    with pytest.raises(MemoryError) as refused:
        hearth.empty((1 << 40,), "f8")
    assert isinstance(refused.value, hearth.Error) and "free" in str(refused.value)
    with pytest.raises(hearth.errors.BadUsage):
        hearth.empty((-1,))
    with pytest.raises(hearth.errors.BadUsage):
        hearth.empty((1 << 62, 1 << 62))


def test_handles_that_are_none():
    for text in ("", "x", "hearth1:0:0:0:", "hearth1:" + "0" * 32 + ":zz:1:x", "a:b:c:d:e:f:g"):
        with pytest.raises(hearth.errors.BadUsage, match="handle"):
            hearth.open(text)


def test_threads_share_and_open_at_once():
    failures = []

    def work(seed):
        try:
            for i in range(50):
                array = hearth.share(np.full(100, seed * 1000 + i))
                assert pickle.loads(pickle.dumps(array[5:])).sum() == 95 * (seed * 1000 + i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


scipy_sparse = pytest.importorskip("scipy.sparse")


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array", "csc_array"])
def test_a_sparse_matrix_is_one_handle(kind, context):
    source = getattr(scipy_sparse, kind)(scipy_sparse.random(300, 200, 0.05, random_state=1))
    shared = hearth.share(source)
    assert isinstance(shared, type(source)) and (shared != source).nnz == 0
    assert len(pickle.dumps(shared)) < 200
    assert len({segment_of(part) for part in (shared.data, shared.indices, shared.indptr)}) == 1
    with context.Pool(1) as pool:
        name, total, on_shared = pool.apply(children.sparse_facts, (shared,))
    assert (name, on_shared) == (kind, True) and np.isclose(total, source.sum())
    assert isinstance(hearth.open(shared.handle), type(source))
    doubled = shared * 2
    assert np.isclose(pickle.loads(pickle.dumps(doubled)).sum(), 2 * source.sum())
    vector = np.ones(200)
    assert np.allclose(shared @ vector, source @ vector)


def test_records_with_names_beyond_latin_1_are_loaded(tmp_path):
    records = np.zeros(2, [("日本", "f8"), ("é", "i4")])
    with pytest.warns(UserWarning, match="3.0"):
        np.save(tmp_path / "a.npy", records)
    assert hearth.load(tmp_path / "a.npy").dtype == records.dtype


def test_full_takes_rows_of_values():
    full = hearth.sharedmem.full
    for order in ("C", "F"):
        assert np.array_equal(full((2, 3), [1, 2, 3], order=order), np.full((2, 3), [1, 2, 3]))
        assert np.array_equal(full((2, 3), np.arange(6).reshape(1, 2, 3), "f4", order), np.arange(6).reshape(2, 3))
    assert full((), 5) == 5 and full((0, 3), 5).shape == (0, 3)
    with pytest.raises(ValueError, match="broadcast"):
        full((2, 3), [1, 2])


BIG = np.arange(3_000_000, dtype="i4")  # over one piece


@pytest.mark.parametrize("of", [
    lambda: BIG.reshape(3000, 1000)[:, ::2], lambda: BIG.reshape(1000, 3000).T[::3], lambda: BIG[::-1],
    lambda: np.broadcast_to(np.float32(7), (3, 1, 2_500_000)), lambda: BIG.reshape(2, -1, 3).transpose(2, 0, 1),
    lambda: BIG.view([("a", "i2"), ("b", "i2")])[::2], lambda: BIG.astype("M8[s]")[::2], lambda: BIG.astype(">f8")[::3],
    lambda: np.zeros((4, 0, 3))[::2], lambda: np.zeros((3, 1000), "V16384")[:, ::2], lambda: np.zeros(10, "S0")[::2]])
def test_bytes_that_are_not_in_order_are_put_in_order(of):
    source = of()
    for shared in (hearth.share(source), hearth.sharedmem.copy(source), hearth.sharedmem.full(source.shape, source)):
        assert shared.dtype == source.dtype and shared.flags.c_contiguous and np.array_equal(shared, source)


@pytest.mark.parametrize("make", [lambda: hearth.share(BIG[::-1]), lambda: hearth.sharedmem.copy(BIG),
                                  lambda: hearth.sharedmem.copy(BIG[::2]), lambda: hearth.sharedmem.full(10**7, 1)])
def test_what_is_filled_looks_at_its_limits_and_is_told_where_there_is_no_page_left(monkeypatch, make):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    create = hearth._segments.create

    def create_and_limit(*args, **options):
        made = create(*args, **options)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
        return made

    monkeypatch.setattr(hearth._segments, "create", create_and_limit)
    try:
        with pytest.raises(hearth.Error, match="write .* bytes at"):  # not by a mapping, where it would be a SIGBUS
            make()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_shape_whose_bytes_no_number_holds_is_refused(tmp_path):
    records = np.dtype([("a", "i4")])
    for shape in ((2**32, 2**32), (2**31, 2**31), (2**64,)):
        with pytest.raises((hearth.errors.BadFile, hearth.errors.BadUsage), match="2\\^63"):
            hearth.load(tmp_path / "x.raw", records, shape)


def test_a_sparse_format_that_is_not_shared_is_named():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(hearth.errors.BadUsage, match="coo_matrix.*tocsr"):
        hearth.share(scipy_sparse.coo_matrix(np.eye(2)))
