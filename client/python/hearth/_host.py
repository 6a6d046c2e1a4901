"""The Python process beside a worker, in which functions of clients run.

`python -m hearth._host --coordinator ADDRESS --beside PID@KEEPER`: serves one
object, an instance a client. It says ``ready`` once it can take work, and ends
with what was its standard input, or with who started it; what functions print is
the worker's log.
"""

from __future__ import annotations

import argparse
import os
import signal
import uuid

from . import _lifeline
from ._beside import PREFIX, Functions, this_host
from .objects import ObjectServer


def main() -> None:
    """Serves until its standard input ends, or who started it."""
    starter = os.getppid()
    parser = argparse.ArgumentParser(prog="python -m hearth._host")
    parser.add_argument("--coordinator", required=True)
    parser.add_argument("--beside", required=True)
    parser.add_argument("--tls-dir")
    parser.add_argument("--insecure", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the keeper's to answer
    lifeline, told = _lifeline.take_streams()
    _lifeline.end_with(starter, lifeline)
    server = ObjectServer(options.coordinator, tls_dir=options.tls_dir, insecure=options.insecure)
    server.serve(PREFIX + uuid.uuid4().hex, Functions, tags=["python", f"beside:{options.beside}", this_host()])
    os.write(told, b"ready\n")
    os.close(told)
    while os.read(lifeline, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
