# The matrix is an argument like any other.
# ---
import multiprocessing

import numpy as np

import hearth


def work(rows):
    return rows.sum()


if __name__ == "__main__":
    big = hearth.share(np.ones((4000, 100)))
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        print(sum(pool.map(work, [big[i::4] for i in range(4)])))
