# A function of your own over the blocks of a matrix.
# ---
import numpy as np

import hearth

m = hearth.share(np.random.default_rng(1).random((100_000, 20)))
with hearth.Executor(workers=2) as executor:
    total = executor.map_reduce(lambda block: np.exp(block).sum(axis=0), m)
    roots = executor.map_blocks(lambda block: np.sqrt(block), m)
    future = executor.submit(np.linalg.norm, m[:100])
    print(total.shape, roots.shape, future.result())
