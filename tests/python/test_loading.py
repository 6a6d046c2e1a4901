"""Files that are loaded or put, and what is said of those that can't be."""

import os
import subprocess
import sys

import pytest

import hearth


# C++ refuses a pipe; the second look, whether NumPy knows the file's type, opened it and waited for a writer.
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.npy")
    script = f"import hearth; hearth.load({str(tmp_path / 'fifo.npy')!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "BadFile" in done.stderr and "it is a pipe; give a regular file" in done.stderr
    with pytest.raises(hearth.errors.BadFile, match="it is a directory"):
        hearth.load(tmp_path)
