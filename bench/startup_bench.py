"""From exec to five workers that can take work, beside five bare processes of the same libraries."""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

BINARY = os.environ.get("HEARTH_BINARY",
                        pathlib.Path(__file__).resolve().parents[1] / "build/release/hearth")


def local(workers):
    began = time.perf_counter()
    with subprocess.Popen([BINARY, "local", "--workers", str(workers), "--json"],
                          stdout=subprocess.PIPE, text=True) as process:
        json.loads(process.stdout.readline())
        seconds = time.perf_counter() - began
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return seconds


def bare(workers):
    """The same binary, linked to the same libraries, that only prints its version."""
    began = time.perf_counter()
    processes = [subprocess.Popen([BINARY, "--version"], stdout=subprocess.DEVNULL)
                 for _ in range(workers)]
    for process in processes:
        process.wait()
    return time.perf_counter() - began


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    ready, floor = [], []
    for _ in range(rounds):
        ready.append(local(5))
        floor.append(bare(5))
    print(f"five workers from exec to ready: {statistics.median(ready) * 1000:.0f} ms "
          f"({min(ready) * 1000:.0f} to {max(ready) * 1000:.0f}); five bare processes: "
          f"{statistics.median(floor) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
