# No name, nothing to close, nothing to unlink.
# ---
import multiprocessing

import numpy as np

import hearth


def work(array):
    return array.sum()


if __name__ == "__main__":
    array = hearth.share(np.ones((4000, 100)))
    with multiprocessing.Pool(2) as pool:
        print(pool.apply(work, (array,)))
