"""The error catalog in hearth/base/error.cc is the table in docs/errors.md, and
has an exception in Python for each of its reasons."""

import re

ENTRY = re.compile(r'\{Reason::k(\w+),\s*"([a-z-]+)",\s*Code::k(\w+)\}')
NUMBER = re.compile(r"\bk(\w+)\s*=\s*(\d+)")
RAISED = re.compile(r'^    reason = "([a-z-]+)"$', re.M)
PYTHON = "client/python/hearth/errors.py"
ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*`([a-z-]+)`\s*\|\s*`?([A-Z_]+)`?\s*\|(.*)\|(.*)\|\s*$")

BROKEN = {
    "hearth/base/error.h": "kUnspecified = 0,\nkBadUsage =\n 1,\nkInternal = 2,\n",
    "hearth/base/error.cc": '{Reason::kUnspecified, "unspecified", Code::kUnknown},\n'
                            '{Reason::kBadUsage, "bad-usage", Code::kInvalidArgument},\n'
                            '{Reason::kInternal, "internal", Code::kInternal},\n',
    "docs/errors.md": "| 0 | `unspecified` | `UNKNOWN` | m | d |\n"
                      "| 2 | `bad-usage` | `INVALID_ARGUMENT` | m | d |\n"
                      "| 3 | `gone` | `INTERNAL` | m | |\n",
    "client/python/hearth/errors.py": 'class A(Error):\n    reason = "bad-usage"\n'
                                      'class B(Error):\n    reason = "lost"\n',
}
EXPECTED = (
    "bad-usage: 1 INVALID_ARGUMENT in hearth/base/error.cc, 2 INVALID_ARGUMENT",
    "internal: has no row in docs/errors.md",
    "gone: is in docs/errors.md and not in hearth/base/error.cc",
    "gone: its row says nothing of what to do",
    "internal: has no exception in client/python/hearth/errors.py",
    "lost: is in client/python/hearth/errors.py and not in hearth/base/error.cc",
)


def status_name(camel):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).upper()


def check(house):
    numbers = {name: int(number)
               for name, number in NUMBER.findall(house.read("hearth/base/error.h"))}
    catalog = {text: (numbers.get(name, -1), status_name(code))
               for name, text, code in ENTRY.findall(house.read("hearth/base/error.cc"))}
    complaints = []
    rows = {}
    for line in house.read("docs/errors.md").splitlines():
        found = ROW.match(line)
        if found:
            number, name, code, meaning, advice = found.groups()
            rows[name] = (int(number), code)
            if not meaning.strip() or not advice.strip():
                complaints.append(f"{name}: its row says nothing of what to do")
    if not catalog:
        complaints.append("hearth/base/error.cc: no catalog was found in it")
    for name, (number, code) in catalog.items():
        if name not in rows:
            complaints.append(f"{name}: has no row in docs/errors.md")
        elif rows[name] != (number, code):
            complaints.append(f"{name}: {number} {code} in hearth/base/error.cc, "
                              f"{rows[name][0]} {rows[name][1]} in docs/errors.md")
    for name in rows.keys() - catalog.keys():
        complaints.append(f"{name}: is in docs/errors.md and not in hearth/base/error.cc")
    raised = set(RAISED.findall(house.read(PYTHON)))
    complaints += [f"{name}: has no exception in {PYTHON}" for name in catalog.keys() - raised]
    complaints += [f"{name}: is in {PYTHON} and not in hearth/base/error.cc"
                   for name in raised - catalog.keys()]
    return complaints
