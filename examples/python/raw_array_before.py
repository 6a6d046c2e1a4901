# RawArray: ctypes in, frombuffer out.
# ---
import multiprocessing
from multiprocessing.sharedctypes import RawArray

import numpy as np


def start(raw, shape):
    global big
    big = np.frombuffer(raw, dtype=np.float64).reshape(shape)


def work(i):
    return big[i::4].sum()


if __name__ == "__main__":
    source = np.ones((4000, 100))
    raw = RawArray("d", source.size)
    np.frombuffer(raw, dtype=np.float64)[:] = source.ravel()
    with multiprocessing.Pool(4, initializer=start, initargs=(raw, source.shape)) as pool:
        print(sum(pool.map(work, range(4))))
