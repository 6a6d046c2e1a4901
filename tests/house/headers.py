"""Every header compiles alone.

A .cc file, a test's too, that includes a header before all else proves it each
time it is built: a header's own .cc is held to that. The headers that come first
nowhere are compiled here, each by itself.
"""

import concurrent.futures
import os
import re
import subprocess

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)

BROKEN = {
    "hearth/base/alone.h": "#pragma once\ninline std::string Name() { return {}; }\n",
    "hearth/base/pair.h": "#pragma once\n",
    "hearth/base/pair.cc": '#include <string>\n#include "hearth/base/pair.h"\n',
    "hearth/base/open.h": "int x();\n",
}
EXPECTED = (
    "hearth/base/alone.h: does not compile alone",
    "hearth/base/pair.cc: does not include hearth/base/pair.h first",
    "hearth/base/open.h: has no #pragma once",
)


def needs_generated(house, path, seen):
    """Whether a header leads to generated code."""
    if path in seen or not (house.root / path).is_file():
        return False
    seen.add(path)
    names = INCLUDE.findall(house.read(path))
    return any(name.endswith(".pb.h") or needs_generated(house, name, seen)
               for name in names)


def compile_alone(house, path):
    command = [house.compiler, "-std=c++20", "-fsyntax-only", "-x", "c++",
               "-Wno-pragma-once-outside-header", f"-I{house.root}"]
    if house.generated:
        command.append(f"-I{house.generated}")
    ran = subprocess.run([*command, str(house.root / path)],
                         capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        return None
    reason = next((line for line in ran.stderr.splitlines() if "error" in line), ran.stderr)
    return f"{path}: does not compile alone: {reason}"


def first_include(house, path):
    found = INCLUDE.search(house.read(path))
    return found[1] if found else None


def needs_python(path):
    """Whether a header includes what pip brings for the time of a build."""
    return path.parts[:3] == ("client", "python", "native")


def check(house):
    complaints, alone = [], []
    sources = house.files(".cc")
    proven = {first_include(house, path) for path in sources}
    for header in house.files(".h"):
        if "#pragma once" not in house.read(header):
            complaints.append(f"{header}: has no #pragma once")
        source = header.with_suffix(".cc")
        if source in sources and first_include(house, source) != str(header):
            complaints.append(f"{source}: does not include {header} first")
        elif str(header) not in proven and not needs_python(header) and (
                house.generated or not needs_generated(house, str(header), set())):
            alone.append(header)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints += [complaint for complaint in
                       pool.map(lambda path: compile_alone(house, path), alone) if complaint]
    return complaints
