"""Arrays between NumPy, the files that Hearth reads and the JSON it prints."""

import numpy as np

REALS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
         "float16", "float32", "float64"]
COMPLEXES = ["complex64", "complex128"]
DTYPES = REALS + COMPLEXES
FLOATS = ["float16", "float32", "float64"]
MIB = 1 << 20


def read_array(array):
    """What {"dtype", "shape", "values" or "file"} stands for."""
    assert set(array) in ({"dtype", "shape", "values"}, {"dtype", "shape", "file"}), array.keys()
    dtype, shape = np.dtype(array["dtype"]), tuple(array["shape"])
    if "file" in array:
        value = np.load(array["file"])
    else:
        value = np.array(read_values(array["values"], dtype), dtype=dtype)
    assert value.dtype == dtype
    if "values" in array and 0 in shape:
        value = value.reshape(shape)  # nested lists lose the axes behind a 0
    assert value.shape == shape, (value.shape, shape)
    return value


def read_values(values, dtype):
    if isinstance(values, list):
        return [read_values(value, dtype) for value in values]
    if dtype.kind == "c":
        assert isinstance(values, str), values
        return complex(values)
    if isinstance(values, str):
        assert values in ("nan", "inf", "-inf") and dtype.kind == "f", values
        return float(values)
    assert isinstance(values, bool) == (dtype.kind == "b"), (values, dtype)
    assert isinstance(values, float) == (dtype.kind == "f"), (values, dtype)
    return values


def read_result(result):
    """A result's array, or its fields by name."""
    if "fields" in result:
        return {name: read_array(array) for name, array in result["fields"].items()}
    return read_array(result)


def random_array(rng, dtype, shape, order="C", small=False):
    """Elements over the whole range of a type; `small` ones don't overflow a product."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        array = rng.integers(0, 2, shape).astype(bool)
    elif dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = (max(info.min, -3), 3) if small else (info.min, info.max)
        array = rng.integers(low, high, shape, dtype=dtype, endpoint=True)
    elif dtype.kind == "f":
        array = (rng.standard_normal(shape) * (1 if small else 100)).astype(dtype)
    else:
        array = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return np.asarray(array, order=order)


def sprinkle(rng, array, *values):
    """Puts some of `values` at random places of a float array."""
    if array.dtype.kind in "fc" and array.size:
        for value in values:
            array[tuple(rng.integers(0, length) for length in array.shape)] = value
    return array


def write_raw(path, array, offset=0, trailing=0):
    """The arguments that name it: raw bytes at any offset."""
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    with open(path, "wb") as file:
        file.write(b"\xa5" * offset + array.tobytes(order) + b"\x5a" * trailing)
    code = array.dtype.newbyteorder("=").str if array.dtype.isnative else array.dtype.str
    return [str(path), "--dtype", code, "--shape", ",".join(map(str, array.shape)),
            "--offset", str(offset), "--order", order]


def row_blocks(shape, itemsize, order="C"):
    """How many row blocks a matrix is cut into, from the design's own words."""
    axes = list(shape) if order == "C" else list(shape)[::-1]
    size = itemsize * int(np.prod(shape, dtype=object))
    if size == 0 or not axes:
        return 1
    rest, taken = size, 0
    while True:  # the fewest leading axes such that a slice of the rest is at most 16 MiB
        rest //= axes[taken]
        taken += 1
        if rest <= 16 * MIB or taken == len(axes):
            break
    aimed = min(max(size // 256, MIB), 16 * MIB)
    slices = 1
    while 2 * slices * rest <= aimed:
        slices *= 2
    runs = int(np.prod(axes[:taken - 1], dtype=object))
    return runs * -(-axes[taken - 1] // slices)
