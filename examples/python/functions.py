# A function of your own over the blocks of a matrix.
# ---
import numpy as np

import hearth

m = hearth.share(np.random.default_rng(1).random((100_000, 20)))
with hearth.local(workers=2) as cluster:              # or hearth.connect(...), with workers started with --allow-python
    total = cluster.map_reduce(lambda block: np.exp(block).sum(axis=0), m)
    roots = cluster.map_blocks(lambda block: np.sqrt(block), m)
    print(total.shape, roots.shape)
with hearth.Executor(workers=2) as executor:          # any function, in processes of this host
    print(executor.submit(np.linalg.norm, m[:100]).result())
