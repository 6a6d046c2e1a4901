# multiprocessing.shared_memory: names, shapes and types by hand; close, and one unlink.
# ---
import multiprocessing
from multiprocessing import shared_memory

import numpy as np


def work(name, shape, dtype):
    memory = shared_memory.SharedMemory(name)
    array = np.ndarray(shape, dtype, buffer=memory.buf)
    total = array.sum()
    del array
    memory.close()
    return total


if __name__ == "__main__":
    source = np.ones((4000, 100))
    memory = shared_memory.SharedMemory(create=True, size=source.nbytes)
    try:
        array = np.ndarray(source.shape, source.dtype, buffer=memory.buf)
        array[:] = source
        with multiprocessing.Pool(2) as pool:
            print(pool.apply(work, (memory.name, array.shape, array.dtype)))
        del array
    finally:
        memory.close()
        memory.unlink()
