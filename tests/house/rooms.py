"""Each room has a README, a name of its own, and files that fit the eye."""

from arrows import read_arrows, room_of

LINES_MAX = 500
README_LINES = range(5, 16)
NAMELESS = {"common", "util", "utils", "misc", "helpers", "helper", "shared"}

BROKEN = {
    "tests/house/arrows.txt": "hearth/util:\nhearth/base:\n",
    "hearth/util/a.h": "\n" * 501,
    "hearth/base/b.h": "",
    "hearth/base/README.md": "short\n",
}
EXPECTED = (
    "hearth/util: has no README.md",
    "hearth/util: a room is named after what lives in it",
    "hearth/util/a.h: 501 lines",
    "hearth/base/README.md: 1 lines",
)


def check(house):
    complaints = []
    arrows = read_arrows(house.read("tests/house/arrows.txt"))
    for folder in house.rooms():
        if NAMELESS & set(folder.parts):
            complaints.append(f"{folder}: a room is named after what lives in it")
    for room in sorted({room_of(folder / "x.h", arrows) or str(folder)
                        for folder in house.rooms()}):
        readme = house.root / room / "README.md"
        if not readme.is_file():
            complaints.append(f"{room}: has no README.md")
        else:
            lines = len(house.read(f"{room}/README.md").splitlines())
            if lines not in README_LINES:
                complaints.append(f"{room}/README.md: {lines} lines, not 5 to 15")
    for path in house.files(".h", ".cc", ".py", ".sh", ".proto", ".cmake"):
        lines = len(house.read(path).splitlines())
        if lines > LINES_MAX:
            complaints.append(f"{path}: {lines} lines, more than {LINES_MAX}")
    return complaints
