# The three lines of README's Python section.
import numpy as np

array = np.arange(1_000_000.0).reshape(1000, 1000)
# ---
import hearth

m = hearth.share(array)               # once; or hearth.load("big.npy"), where it lies
rows = m[10:20]                       # a NumPy array, and its pickle is a handle of 120 bytes: send it anywhere
