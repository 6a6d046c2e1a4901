# Files are read where they lie; what is written lies in memory until it is saved.
import numpy as np

np.save("x.npy", np.arange(12.0).reshape(3, 4))
# ---
import numpy as np

import hearth

read = hearth.load("x.npy")                            # mode "r"; its pickle is a handle
copy_on_write = read.private()                         # mode "c"
copy_on_write[0] = 7                                   # the file stays as it is
made = hearth.empty((3, 4))                            # mode "w+", in memory: many processes may fill it
made[:] = read * 2
np.save("y.npy", made.seal())
# For mode "r+", a file that is changed in place, stay with np.memmap.
