"""Every example of examples/python runs; those that stand beside an older way print the same."""

import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples/python"
ARGUMENTS = {"benchmark_sharedmem.py": ["5"]}


def output_of(example, folder):
    done = subprocess.run([sys.executable, example, *ARGUMENTS.get(example.name, [])], cwd=folder,
                          capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), example.name
    return done.stdout


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_runs(example, tmp_path):
    said = output_of(example, tmp_path)
    before = example.with_name(f"{example.stem}_before.py")
    if before.exists():
        assert said == output_of(before, tmp_path)
