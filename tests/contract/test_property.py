"""Operation x type x order x axes x alignment x byte order x emptiness, by chance.

Each seed is 25 cases; a failing one prints the command that shows it. The slow
run has forty times as many.
"""

import numpy as np
import pytest

from cases import REDUCTIONS, check_case, choose, random_shape


def check_seed(cluster, tmp_path, seed):
    rng = np.random.default_rng(seed)
    built = {operation["name"] for operation in cluster.succeed("operations")["operations"]}
    names = sorted(built & set(REDUCTIONS))
    for _ in range(25):
        name = choose(rng, names)
        dtype = choose(rng, REDUCTIONS[name][0])
        check_case(cluster, rng, tmp_path, name, dtype, random_shape(rng), choose(rng, ["C", "F"]))


@pytest.mark.parametrize("seed", range(20))
def test_seed(cluster, tmp_path, seed):
    check_seed(cluster, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 900))
def test_long_seed(cluster, tmp_path, seed):
    check_seed(cluster, tmp_path, seed)
