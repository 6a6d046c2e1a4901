"""An Array is an ndarray whose pickle is a handle; what is computed from it is plain."""

import copy
import pickle
import resource

import children
import numpy as np
import pytest

import hearth
from hearth.array import segment_of


@pytest.fixture
def shared(digits):
    return hearth.share(digits)


def test_views_are_arrays_and_results_are_plain(shared, digits):
    assert isinstance(shared, np.ndarray)
    for view in (shared[3:5], shared.T, shared.reshape(-1), shared[:, None], shared.view("i8"),
                 np.transpose(shared), np.reshape(shared, (16, -1)), np.split(shared, 2)[0]):
        assert type(view) is hearth.Array and segment_of(view) is segment_of(shared)
    for result in (shared + 1, shared @ shared.T, np.exp(shared), shared.copy(), shared.astype("f4"),
                   shared[[1, 2]], shared[shared > 0], np.sort(shared), shared.cumsum(),
                   np.concatenate([shared, shared]), shared.dot(shared.T), np.where(shared > 0, shared, 0),
                   shared.mean(axis=0), np.linalg.norm(shared, axis=0), copy.copy(shared),
                   copy.deepcopy(shared), np.array(shared), shared.flatten(), shared.clip(0, 1)):
        assert type(result) is np.ndarray
    assert type(np.asarray(shared)) is np.ndarray
    assert np.shares_memory(np.asarray(shared), shared)
    assert isinstance(shared.sum(), float) and shared.sum() == digits.sum()


def test_plain_results_pickle_by_value(shared):
    result = shared[:4] * 2
    assert np.array_equal(pickle.loads(pickle.dumps(result)), result)
    private = shared.private()
    private[0] = 7
    assert pickle.loads(pickle.dumps(private))[0, 0] == 7


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol(shared, protocol):
    buffers = []
    extra = {"buffer_callback": buffers.append} if protocol == 5 else {}
    text = pickle.dumps(shared[5:9], protocol, **extra)
    assert len(text) < 250 and not buffers
    again = pickle.loads(text)
    assert np.array_equal(again, shared[5:9]) and segment_of(again) is segment_of(shared)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "<i4", ">i4", "u8", "f2", "f4", "f8", ">f8", "c8",
                                   "c16", "S7", "U5", "M8[ms]", "m8[s]", "V6", "longdouble"])
def test_every_fixed_type_comes_back(dtype):
    raw = np.random.default_rng(3).integers(0, 2, 40 * np.dtype(dtype).itemsize, "u1")
    source = np.frombuffer(raw.tobytes(), dtype).reshape(5, 8)
    shared = hearth.share(source)
    again = pickle.loads(pickle.dumps(shared))
    assert again.dtype == source.dtype and again.tobytes() == source.tobytes()


RECORDS = np.dtype([("name", "U8"), ("at", "<f8", (3,)), ("flag", "?")], align=True)


def test_records(context):
    source = np.zeros(50, RECORDS)
    source["at"] = np.arange(150).reshape(50, 3)
    source["name"] = "abc"
    shared = hearth.share(source)
    assert shared.dtype == RECORDS and len(pickle.dumps(shared)) < 200
    assert type(shared["at"]) is hearth.Array
    again = pickle.loads(pickle.dumps(shared["at"][10:20, 1]))
    assert np.array_equal(again, source["at"][10:20, 1])
    with context.Pool(1) as pool:
        assert pool.apply(children.rows_by_name, (shared, "at")) == source["at"].sum()


def test_wide_records_travel_and_wider_ones_are_refused():
    wide = np.zeros(3, [(f"field_number_{i}", "<f8") for i in range(100)])
    assert pickle.loads(pickle.dumps(hearth.share(wide))).dtype == wide.dtype
    wider = hearth.share(np.zeros(3, [(f"field_number_{i}", "<f8") for i in range(1000)]))
    with pytest.raises(hearth.errors.TooLarge):
        pickle.dumps(wider)


def test_python_objects_are_refused_with_a_sentence():
    with pytest.raises(hearth.errors.BadUsage, match="Python objects"):
        hearth.share(np.array([{}, None]))
    with pytest.raises(hearth.errors.BadUsage, match="mask"):
        hearth.share(np.ma.masked_array([1, 2], [True, False]))


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (3, 0, 2), (1,), (1, 1), (7,)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_shape(shape, order):
    source = np.asarray(np.random.default_rng(1).normal(size=shape), order=order)
    shared = hearth.share(source)
    again = pickle.loads(pickle.dumps(shared))
    assert again.shape == shape and np.array_equal(again, source)
    assert shared.flags.f_contiguous == source.flags.f_contiguous


def test_what_lies_apart_is_gathered(digits):
    for source in (digits[::3, ::2], digits[::-1], np.broadcast_to(digits[0], (5, 16)), digits.T[2:]):
        assert np.array_equal(hearth.share(source), source)


def test_fortran_order_is_kept_and_nothing_is_shared_twice(digits):
    fortran = hearth.share(np.asfortranarray(digits))
    assert fortran.flags.f_contiguous and not fortran.flags.c_contiguous
    assert hearth.share(fortran) is fortran
    assert segment_of(hearth.share(np.asarray(fortran))) is segment_of(fortran)


WRITES = {
    "an item": lambda a: a.__setitem__((0, 0), 1),
    "a slice": lambda a: a.__setitem__(slice(None), 0),
    "an operator": lambda a: a.__iadd__(1),
    "out": lambda a: np.exp(a, out=a),
    "sort": lambda a: a.sort(),
    "fill": lambda a: a.fill(0),
    "at": lambda a: np.add.at(a, (0, 0), 1),
    "put": lambda a: a.put(0, 1),
    "a view": lambda a: a[3:5].__setitem__(0, 1),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_on_a_sealed_array_says_what_to_do(digits, name):
    write = WRITES[name]
    shared = hearth.share(digits)
    with pytest.raises(hearth.errors.ReadOnly, match=r"sealed; a\.private\(\).*np\.array"):
        write(shared)
    if name != "at":  # NumPy's own ufunc.at writes to read-only memory, of any array
        with pytest.raises(ValueError):
            write(np.asarray(shared))
    with pytest.raises(ValueError):
        shared.flags.writeable = True
    write(shared.private())
    assert np.array_equal(shared, digits)


def test_private_writes_stay_private(shared, digits):
    private = shared.private()
    assert type(private) is np.ndarray and private.flags.writeable
    private[:] = 0
    assert np.array_equal(shared, digits)
    part = shared[10:20, ::2].private()
    part += 1
    assert np.array_equal(part, digits[10:20, ::2] + 1)


def test_a_view_keeps_its_bytes_when_all_else_is_gone(digits):
    view = hearth.share(digits)[10:20].T[2:4]
    assert np.array_equal(view, digits[10:20].T[2:4])
    plain = np.asarray(hearth.share(digits))[5]
    assert np.array_equal(plain, digits[5])
    memory = memoryview(hearth.share(digits))
    assert bytes(memory) == digits.tobytes()


def test_consume_gives_the_source_back():
    source = np.ones(64 << 17)
    shared = hearth.share(source, consume=True)
    assert shared.sum() == len(shared)
    assert source[4096:-4096].sum() < len(source) / 100
    for other in (np.frombuffer(b"12345678"), np.ones((8, 8))[:, ::2]):
        with pytest.raises(hearth.errors.BadUsage, match="own its memory"):
            hearth.share(other, consume=True)


@pytest.mark.parametrize("way", ["filling", "sealing"])
def test_a_consume_that_fails_loses_nothing(monkeypatch, way):
    source = np.arange(float(32 << 17))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    create = hearth._segments.create

    def create_and_limit(*args, **options):
        made = create(*args, **options)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, before[1]))
        return made

    def refuse(segment):
        raise hearth.errors.SegmentBusy("seal a segment: a child maps it")

    monkeypatch.setattr(*(("hearth._segments.create", create_and_limit) if way == "filling" else
                          ("hearth._segments.sealed", refuse)))
    try:
        with pytest.raises(hearth.Error):
            hearth.share(source, consume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert np.array_equal(source, np.arange(float(32 << 17)))


def test_dlpack_and_buffers(shared, digits):
    assert bytes(memoryview(shared[0])) == digits[0].tobytes()
    writable = shared.private()
    assert np.array_equal(np.from_dlpack(writable), digits)
