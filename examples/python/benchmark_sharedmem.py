# benchmark-sharedmem: 8 processes, 20 tasks, doubles through a Pipe, by value and by handle.
# ---
import multiprocessing
import sys
import time

import numpy as np

import hearth


def serve(pipe):
    while (task := pipe.recv()) is not None:
        pipe.send(float(task[0]))


def seconds(array, processes=8, tasks=20):
    pipes = []
    for _ in range(processes):
        here, there = multiprocessing.Pipe()
        multiprocessing.Process(target=serve, args=(there,), daemon=True).start()
        pipes.append(here)
    began = time.perf_counter()
    for i in range(tasks):
        pipes[i % processes].send(array)
    for i in range(tasks):
        pipes[i % processes].recv()
    took = time.perf_counter() - began
    for pipe in pipes:
        pipe.send(None)
    return took


if __name__ == "__main__":
    for exponent in range(3, 1 + int(sys.argv[1] if len(sys.argv) > 1 else 8)):
        array = np.ones(10**exponent)
        print(f"10^{exponent} doubles: by value {seconds(array):8.4f} s, "
              f"by handle {seconds(hearth.share(array)):8.4f} s")
