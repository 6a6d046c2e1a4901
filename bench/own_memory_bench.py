"""Exact quantiles of 1,000 columns of a matrix in memory: the most own memory any process takes."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

BINARY = os.environ.get("HEARTH_BINARY",
                        pathlib.Path(__file__).resolve().parents[1] / "build/release/hearth")


def own_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        # Not Private_*: pages of the matrix that one worker alone has touched count there.
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:")) << 10


def main():
    gib = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    rows = int(gib * 2**30) // 8000
    with subprocess.Popen([BINARY, "local", "--workers", "5", "--json"], stdout=subprocess.PIPE,
                          text=True) as local:
        ready = json.loads(local.stdout.readline())
        environment = {**os.environ, "HEARTH_CLUSTER": ready["address"]}
        subprocess.run([BINARY, "make", "m", "--shape", f"{rows},1000"], env=environment,
                       check=True, stdout=subprocess.DEVNULL)
        for words in (["quantile", "m", "axis=0", "q=0.1,0.5,0.9"], ["median", "m", "axis=0"],
                      ["describe", "m"], ["mean", "m", "axis=0"], ["sum", "m", "axis=1"]):
            most = 0
            began = time.perf_counter()
            with subprocess.Popen([BINARY, "run", *words, "--json"], env=environment,
                                  stdout=subprocess.DEVNULL) as run:
                while run.poll() is None:
                    for pid in [*ready["pids"], run.pid]:
                        try:
                            most = max(most, own_bytes(pid))
                        except OSError:
                            pass  # the client has just ended
                    time.sleep(0.05)
            seconds = time.perf_counter() - began
            print(f"{' '.join(words):34} {gib:g} GiB: {seconds:.1f} s; own memory of a process "
                  f"{most / 2**20:.0f} MiB at most; status {run.returncode}", flush=True)
        local.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
