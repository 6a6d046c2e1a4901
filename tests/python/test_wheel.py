"""The wheel in another environment, with another NumPy, after the source tree is gone."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROOF = """
import multiprocessing, pickle, shutil, subprocess, sys
import numpy as np
import hearth

def total(array):
    return float(array.sum())

if __name__ == "__main__":
    assert np.__version__.startswith(sys.argv[1]), np.__version__
    assert not __import__("os").path.exists(sys.argv[2]), "the source tree is still there"
    m = hearth.share(np.ones((1000, 100)))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(total, [m, m[10:20]]) == [100000.0, 1000.0]
    with hearth.local(workers=2) as cluster:
        assert cluster.put("m", m).sum() == 100000.0
    with hearth.Executor(1) as executor:
        assert executor.map_reduce(lambda block: block.sum(), m) == 100000.0
    command = shutil.which("hearth", path=__import__("os").path.dirname(sys.executable))
    assert subprocess.run([command, "--version"], check=True, capture_output=True).stdout
    print("works")
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


@pytest.mark.slow
@pytest.mark.parametrize("numpy", ["1.24", "2"])
def test_works_elsewhere(tmp_path, numpy):
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps",
        "--wheel-dir", tmp_path, ROOT / "client/python")
    (wheel,) = tmp_path.glob("hearth-*.whl")
    clean = {name: value for name, value in os.environ.items()
             if name not in ("PYTHONPATH", "HEARTH_BINARY", "VIRTUAL_ENV")}
    run("/usr/bin/python3", "-m", "venv", tmp_path / "venv", env=clean)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", f"numpy=={numpy}.*", wheel, env=clean)
    script = tmp_path / "proof.py"
    script.write_text(PROOF)
    hidden = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none "{ROOT}" && exec "$@"', "sh"] \
        if os.geteuid() == 0 and shutil.which("unshare") else []
    # What is mounted over it is empty: nothing of the source can be read.
    gone = ROOT / "client/python" if hidden else tmp_path / "none"
    assert run(*hidden, python, script, numpy, gone, env=clean, cwd=tmp_path) == "works\n"
