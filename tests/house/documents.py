"""Code in the documents is the code of an example that runs; links lead somewhere.

A fenced block of sh, cpp or python stands below a comment that names its
example, <!-- examples/FILE -->, and equals that file below its line "# ---" (or
"// ---"). A block that no test can run says so: <!-- not run: WHY -->. Every
script in examples/ is run by tests/house/examples.sh, every one in
examples/python by tests/python/test_examples.py.
"""

import re

FENCE = re.compile(r"(?:^<!-- *(?P<mark>[^\n]*?) *-->\n)?^```(?P<kind>sh|cpp|c\+\+|python)\n"
                   r"(?P<code>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
MARKER = re.compile(r"^(?:#|//) ---\n", re.M)

BROKEN = {
    "README.md": "<!-- examples/a.sh -->\n```sh\nhearth ls\n```\n\n```sh\nhearth rm\n```\n"
                 "<!-- examples/none.sh -->\n```sh\nx\n```\n[gone](docs/gone.md)\n"
                 "<!-- not run: takes long -->\n```sh\nhearth local\n```\n",
    "examples/a.sh": "# ---\nhearth info m\n",
}
EXPECTED = (
    "README.md:2: differs from examples/a.sh",
    "README.md:6: names no example",
    "README.md:10: there is no examples/none.sh",
    "README.md: leads to docs/gone.md, which is not there",
)


def body(text):
    found = MARKER.search(text)
    return text[found.end():] if found else text


def check_block(house, path, text, block):
    line = text.count("\n", 0, block.start("kind")) + 1
    mark = block["mark"] or ""
    if mark.startswith("not run: "):
        return None
    if not mark.startswith("examples/"):
        return f"{path}:{line}: names no example that is this code"
    if not (house.root / mark).is_file():
        return f"{path}:{line}: there is no {mark}"
    if body(house.read(mark)) != block["code"]:
        return f"{path}:{line}: differs from {mark}"
    return None


def check(house):
    complaints = []
    for path in house.files(".md"):
        text = house.read(path)
        for block in FENCE.finditer(text):
            complaint = check_block(house, path, text, block)
            if complaint:
                complaints.append(complaint)
        for link in LINK.findall(text):
            if not (house.root / path).parent.joinpath(link).exists():
                complaints.append(f"{path}: leads to {link}, which is not there")
    return complaints
