"""multiprocessing.Pool's empty tasks a second: what task_bench is held against."""

import multiprocessing
import statistics
import sys
import time


def nothing(_):
    return None


def main():
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for chunk in (1, 64):
            rates = []
            for _ in range(3):
                began = time.perf_counter()
                for _ in pool.imap_unordered(nothing, range(tasks), chunksize=chunk):
                    pass
                rates.append(tasks / (time.perf_counter() - began))
            print(f"Pool({processes}).imap_unordered, chunksize {chunk}: "
                  f"{statistics.median(rates):.0f} tasks/s")


if __name__ == "__main__":
    main()
