# Filled by many, then sealed for ever.
# ---
import multiprocessing

import hearth


def fill(part, value):
    part[:] = value


if __name__ == "__main__":
    m = hearth.empty((4, 1000), "f4")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(fill, [(m[i], i) for i in range(4)])
    m.seal()                          # no process can change it any more
    print(m.mean(axis=1), m.handle)   # the handle may stand on a command line: hearth.open(text)
