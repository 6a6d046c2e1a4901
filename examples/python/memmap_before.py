# np.memmap: r, c, w+ and r+.
import numpy as np

np.save("x.npy", np.arange(12.0).reshape(3, 4))
# ---
import numpy as np

read = np.load("x.npy", mmap_mode="r")
copy_on_write = np.load("x.npy", mmap_mode="c")
copy_on_write[0] = 7                                   # the file stays as it is
made = np.memmap("y.raw", dtype="f8", mode="w+", shape=(3, 4))
made[:] = read * 2
made.flush()
again = np.memmap("y.raw", dtype="f8", mode="r+", shape=(3, 4))
again[0] = 0
