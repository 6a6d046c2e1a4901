# A job partitioned over workers, who need no name server to be found.
import numpy as np

np.save("big.npy", np.random.default_rng(1).random((4000, 50)))
# ---
import hearth

with hearth.local(workers=4) as cluster:              # or hearth.connect("coordinator:7070"), on many machines
    m = cluster.put("big", "big.npy")                 # by name, to every client of the cluster
    print(m.mean(axis=0)[:3], m.quantile([0.1, 0.9])) # each worker takes the blocks of rows beside it
    job = m.submit("gram")                            # a future; `await job` works, too
    print(job.result().shape, job.statistics["bytes_copied"])
