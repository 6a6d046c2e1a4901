"""Every #include of first-party code goes where arrows.txt lets it."""

import re

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
GRPC = re.compile(r"^(grpc|grpcpp|grpc\+\+)/|\.grpc\.pb\.h$")

BROKEN = {
    "tests/house/arrows.txt": "# a comment\nhearth/base:\nhearth/matrix: hearth/base\n",
    "hearth/base/a.h": '#include "hearth/matrix/b.h"\n#include <string>\n',
    "hearth/matrix/b.h": '#include "hearth/base/a.h"\n#include <grpcpp/grpcpp.h>\n',
    "hearth/matrix/c.cc": '#include "hearth/matrix/none.h"\n#include "b.h"\n',
    "hearth/lost/d.h": "",
}
EXPECTED = (
    "hearth/base/a.h:1: hearth/base may not include hearth/matrix",
    "hearth/matrix/b.h:2: hearth/matrix may not include grpc",
    "hearth/matrix/c.cc:1: there is no hearth/matrix/none.h",
    "hearth/matrix/c.cc:2: names b.h, not its path from the root",
    "hearth/lost/d.h: its room has no line in",
)


def read_arrows(text):
    arrows = {}
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            room, _, allowed = line.partition(":")
            arrows[room.strip()] = set(allowed.split())
    return arrows


def room_of(path, arrows):
    parts = str(path).split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in arrows:
            return "/".join(parts[:length])
    return None


def target_of(quote, name, arrows):
    """The room an include leads to; None for a library's header."""
    if GRPC.search(name):
        return "grpc"
    return room_of(name, arrows) if quote == '"' else None


def check(house):
    arrows = read_arrows(house.read("tests/house/arrows.txt"))
    complaints = []
    files = house.files(".h", ".cc")
    known = {str(path) for path in files}
    for path in files:
        room = room_of(path, arrows)
        if room is None:
            complaints.append(f"{path}: its room has no line in tests/house/arrows.txt")
            continue
        for number, line in enumerate(house.read(path).splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            quote, name = found.groups()
            if quote == '"' and "/" not in name:
                complaints.append(f"{path}:{number}: names {name}, not its path from the root")
                continue
            target = target_of(quote, name, arrows)
            if target is None:
                continue
            if target not in arrows[room] | {room} and "*" not in arrows[room]:
                complaints.append(f"{path}:{number}: {room} may not include {target} ({name})")
            elif target != "grpc" and not name.endswith(".pb.h") and name not in known:
                complaints.append(f"{path}:{number}: there is no {name}")
    return complaints
