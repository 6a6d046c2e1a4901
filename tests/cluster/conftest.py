"""Real processes, one test at a time: these tests watch the whole machine's memory."""

import pytest

from hearth_process import BINARY


def pytest_configure(config):
    del config
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is not there: build it, or name it by HEARTH_BINARY", 1)
