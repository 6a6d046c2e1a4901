# sharedmem.empty and Process: each process writes its part.
# ---
from multiprocessing import Process

from hearth import sharedmem


def work(out, begin, end):
    out[begin:end] = [row**2 for row in range(begin, end)]


if __name__ == "__main__":
    out = sharedmem.empty(1000)
    processes = [Process(target=work, args=(out, i * 250, (i + 1) * 250)) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(out.sum())
