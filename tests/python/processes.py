"""Who has what, as /proc tells it."""

import os
import pathlib


def _numbers():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def holders_of(identity):
    """Processes that have a segment open or mapped, by its (device, inode, ...)."""
    _, inode, *_ = identity
    holders = []
    for pid in _numbers():
        try:
            folder = pathlib.Path(f"/proc/{pid}")
            mapped = any("memfd:hearth" in line and int(line.split()[4]) == inode
                         for line in (folder / "maps").read_text().splitlines())
            if mapped or any(_is_memory(fd, inode) for fd in (folder / "fd").iterdir()):
                holders.append(pid)
        except OSError:
            continue
    return holders


def _is_memory(descriptor, inode):
    try:
        return os.stat(descriptor).st_ino == inode and "memfd:hearth" in os.readlink(descriptor)
    except OSError:  # closed meanwhile: the one that lists them is among them
        return False


def keepers_of(starter):
    """The keeper processes that `starter` started."""
    found = []
    for pid in _numbers():
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"keeper", b"--starter", str(starter).encode()]:
            found.append(pid)
    return found


def marked(mark):
    """Processes whose environment has the mark, the dead that nobody waited for left out."""
    found = []
    for pid in _numbers():
        try:
            if mark.encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes() and \
                    pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(pid)
        except OSError:
            continue
    return found


def descendants(pid):
    """Children, their children, and so on."""
    parents = {}
    for one in _numbers():
        try:
            stat = pathlib.Path(f"/proc/{one}/stat").read_text()
        except OSError:
            continue
        parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(one)
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def pss_kb(pid):
    """Proportional memory of a process."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
