"""The C++ library as a stranger uses it: installed, found by CMake, linked, run."""

import os
import subprocess

import numpy as np
import pytest

from hearth_process import BINARY

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    build = BINARY.parent
    if not (build / "CMakeCache.txt").is_file():
        pytest.skip(f"{build} is no build folder, so there is nothing to install from")
    prefix = tmp_path_factory.mktemp("prefix")
    outside = tmp_path_factory.mktemp("outside")
    run("cmake", "--install", str(build), "--prefix", str(prefix))
    run("cmake", "-S", f"{ROOT}/examples/cpp", "-B", str(outside), "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", str(outside))
    return outside, {**os.environ, "HEARTH_BINARY": str(prefix / "bin" / "hearth")}


def test_a_ten_line_program_computes_column_means(programs, tmp_path):
    folder, environment = programs
    array = np.random.default_rng(3).random((1000, 4))
    np.save(tmp_path / "x.npy", array)
    out = run(str(folder / "mean"), str(tmp_path / "x.npy"), env=environment)
    np.testing.assert_allclose([float(line) for line in out.split()], array.mean(axis=0), rtol=1e-5)


def test_an_object_is_served_and_called(programs):
    folder, environment = programs
    assert run(str(folder / "counter"), env=environment).strip() == "5050"


def test_a_handle_outlives_the_process_that_gave_it(programs):
    folder, environment = programs
    handle = run(str(folder / "share"), env=environment).strip()
    assert len(handle) < 200
    assert run(str(folder / "share"), handle, env=environment).strip() == "7999"
    # It was fetched, and nobody holds it any more: one clear error.
    again = subprocess.run([str(folder / "share"), handle], env=environment, text=True,
                           capture_output=True, timeout=60, check=False)
    assert again.returncode == 1 and "no process holds it any more" in again.stderr
