"""Each room has a README, a name of its own, and files that fit the eye."""

LINES_MAX = 400
README_LINES = range(5, 16)
NAMELESS = {"common", "util", "utils", "misc", "helpers", "helper", "shared"}

BROKEN = {
    "hearth/util/a.h": "\n" * 401,
    "hearth/base/b.h": "",
    "hearth/base/README.md": "short\n",
}
EXPECTED = (
    "hearth/util: has no README.md",
    "hearth/util: a room is named after what lives in it",
    "hearth/util/a.h: 401 lines",
    "hearth/base/README.md: 1 lines",
)


def check(house):
    complaints = []
    for room in house.rooms():
        readme = house.root / room / "README.md"
        if not readme.is_file():
            complaints.append(f"{room}: has no README.md")
        else:
            lines = len(house.read(room / "README.md").splitlines())
            if lines not in README_LINES:
                complaints.append(f"{room}/README.md: {lines} lines, not 5 to 15")
        if NAMELESS & set(room.parts):
            complaints.append(f"{room}: a room is named after what lives in it")
    for path in house.files(".h", ".cc", ".py", ".sh", ".proto", ".cmake"):
        lines = len(house.read(path).splitlines())
        if lines > LINES_MAX:
            complaints.append(f"{path}: {lines} lines, more than {LINES_MAX}")
    return complaints
