"""What a set of processes really holds, sampled while they work.

PSS, the proportional set size, counts a page that n processes map as 1/n in
each of them, so that the sum over all processes is the memory they hold
together. Python's standard library only.
"""

import os
import threading
import time

MIB = 1 << 20


def meminfo():
    """/proc/meminfo in bytes."""
    fields = {}
    with open("/proc/meminfo") as lines:
        for line in lines:
            name, value = line.split(":", 1)
            words = value.split()
            fields[name] = int(words[0]) * (1024 if len(words) > 1 else 1)
    return fields


def free_memory():
    """Bytes that this process may take: the host's, or its cgroup's if less."""
    free = meminfo()["MemAvailable"]
    for limit_file, usage_file in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            with open(limit_file) as limit, open(usage_file) as usage:
                free = min(free, int(limit.read()) - int(usage.read()))
        except (OSError, ValueError):
            pass  # no such cgroup version here, or no limit ("max")
    return max(free, 0)


def children_of(roots):
    """The pids of `roots` that live, and of everything below them."""
    parent = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as stat:
                # pid (command, which may hold anything) state ppid ...
                parent[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            pass  # it ended meanwhile
    found = {pid for pid in roots if pid in parent}
    grown = True
    while grown:
        below = {pid for pid, up in parent.items() if up in found} - found
        found |= below
        grown = bool(below)
    return found


def memory_of(pid):
    """(proportional, own) bytes of one process; None when it is gone.

    Own is what no other process maps. Huge pages of a hugetlb mapping stand in
    neither of the kernel's sums, so the private ones are added.
    """
    fields = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            next(lines)
            for line in lines:
                name, value = line.split(":", 1)
                fields[name] = int(value.split()[0]) * 1024
    except (OSError, StopIteration, ValueError):
        return None
    huge = fields.get("Private_Hugetlb", 0)
    own = fields.get("Private_Clean", 0) + fields.get("Private_Dirty", 0)
    return fields.get("Pss", 0) + huge, own + huge


class MemoryProbe:
    """Samples `roots` and all their children, between enter and exit.

    Every 50 ms, or as fast as the kernel counts: it looks at each page that each
    process has mapped, some 20 ms for each process that maps 4 GiB.

    Threads: one of its own; read the fields after the exit.
    """

    def __init__(self, roots, interval_seconds=0.05):
        self.roots = set(roots)
        self.interval_seconds = interval_seconds
        self.samples = 0
        self.seconds = 0.0
        self.processes_max = 0
        self.pss_max = 0  # the highest sum over all processes
        self.beyond_max = None  # the highest of sum - processes * allowance
        self.own_max = {}  # pid -> bytes
        self.shmem_before = 0
        self.shmem_max = 0
        self.cached_before = 0
        self.cached_max = 0
        self._began = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add_root(self, pid):
        self.roots = self.roots | {pid}

    @property
    def shmem_growth(self):
        return self.shmem_max - self.shmem_before

    @property
    def cached_growth(self):
        return self.cached_max - self.cached_before

    def __enter__(self):
        now = meminfo()
        self.shmem_before = self.shmem_max = now["Shmem"]
        self.cached_before = self.cached_max = now["Cached"]
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._began

    def _run(self):
        while not self._stop.is_set():
            began = time.monotonic()
            self._sample()
            self._stop.wait(max(0.0, self.interval_seconds - (time.monotonic() - began)))

    def _sample(self, allowance=60 * 10**6):
        found = {pid: memory_of(pid) for pid in children_of(self.roots)}
        found = {pid: memory for pid, memory in found.items() if memory}
        total = sum(pss for pss, _ in found.values())
        for pid, (_, own) in found.items():
            self.own_max[pid] = max(self.own_max.get(pid, 0), own)
        now = meminfo()
        beyond = total - allowance * len(found)
        self.samples += 1
        self.processes_max = max(self.processes_max, len(found))
        self.pss_max = max(self.pss_max, total)
        self.beyond_max = beyond if self.beyond_max is None else max(self.beyond_max, beyond)
        self.shmem_max = max(self.shmem_max, now["Shmem"])
        self.cached_max = max(self.cached_max, now["Cached"])
