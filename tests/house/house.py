"""The house's own rules, each checked on every file of the project.

    house.py CHECK [--root DIR] [--compiler CXX] [--generated DIR]

A check is a module beside this one. Its check(house) gives a list of
complaints. Its BROKEN is a small tree that breaks the rule, and EXPECTED what
must be found there: a check that finds less is itself broken, and says so.
"""

import argparse
import importlib
import pathlib
import subprocess
import sys
import tempfile

ROOM_ROOTS = ("hearth", "server", "worker", "client", "main")
SOURCES = (".h", ".cc")


class House:
    """A tree of the project, and what a check may need to look at it."""

    def __init__(self, root, compiler="g++", generated=None):
        self.root = pathlib.Path(root)
        self.compiler = compiler
        self.generated = generated

    def files(self, *suffixes):
        """Paths relative to the root, of files that belong to the project."""
        if (self.root / ".git").exists():
            listed = subprocess.run(
                ["git", "-C", self.root, "ls-files", "--cached", "--others",
                 "--exclude-standard", "-z"],
                capture_output=True, check=False)
            if listed.returncode == 0:
                names = [name.decode() for name in listed.stdout.split(b"\0") if name]
                return sorted(pathlib.PurePosixPath(name) for name in names
                              if name.endswith(suffixes) and (self.root / name).is_file())
        return sorted(
            pathlib.PurePosixPath(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path.is_file() and path.name.endswith(suffixes)
            and not {"build", ".venv", ".git"} & set(path.relative_to(self.root).parts))

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def rooms(self):
        """Folders that hold source files, under the five roots of the house."""
        return sorted({path.parent for path in self.files(*SOURCES)
                       if path.parts[0] in ROOM_ROOTS})


def plant(root, files):
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Checks one rule of the house.")
    parser.add_argument("check")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--generated")
    options = parser.parse_args()
    module = importlib.import_module(options.check)

    with tempfile.TemporaryDirectory(prefix="hearth-house-") as planted:
        plant(planted, module.BROKEN)
        found = module.check(House(planted, options.compiler))
        missed = [text for text in module.EXPECTED
                  if not any(text in complaint for complaint in found)]
        if missed:
            sys.exit(f"{options.check}: the check itself is broken: in its planted "
                     f"tree it did not find {missed}, but {found}")

    complaints = module.check(House(options.root, options.compiler, options.generated))
    for complaint in complaints:
        print(complaint)
    if complaints:
        sys.exit(f"{options.check}: {len(complaints)} found")
    print(f"{options.check}: nothing found")


if __name__ == "__main__":
    main()
