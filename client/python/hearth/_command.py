"""The `hearth` command: the binary that was installed along."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from . import _native


def main() -> NoReturn:
    """Becomes the binary."""
    program = _native.find_program()
    os.execv(program, ["hearth", *sys.argv[1:]])
