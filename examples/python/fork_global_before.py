# A global that forked children inherit.
# ---
import multiprocessing

import numpy as np

big = None


def work(i):
    return big[i::4].sum()


if __name__ == "__main__":
    big = np.ones((4000, 100))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(sum(pool.map(work, range(4))))
