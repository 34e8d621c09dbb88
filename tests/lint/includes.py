#!/usr/bin/env python3
"""Checks the include direction of the design: base <- otlp, http <- link <- rpc <- programs.

A program's folder is nobody else's business: src/init, src/trace and the like are included from
inside that folder only. Unit tests may look into every folder.
"""

import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "otlp": {"base"},
    "http": {"base"},
    "link": {"base", "otlp"},
    "rpc": {"base", "otlp", "http", "link"},
}
PROGRAMS = {"init", "trace", "systemd", "forward", "vhost", "ctl"}
LIBRARIES = set(ALLOWED)
for program in PROGRAMS:
    ALLOWED[program] = set(LIBRARIES)


def violations(root):
    for path in sorted((root / "src").glob("*/*.[ch]")):
        folder = path.parent.name
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            where = f"{path.relative_to(root)}:{number}"
            target = match.group(1).split("/")
            if match.group(1).endswith(".pb-c.h"):
                continue
            if len(target) != 2:
                yield f'{where}: include "{match.group(1)}" by its folder, as in "base/fd.h"'
            elif target[0] != folder and target[0] not in ALLOWED.get(folder, set()):
                yield f"{where}: src/{folder} must not include from src/{target[0]}"


def main():
    root = pathlib.Path(sys.argv[1])
    folders = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    found = list(violations(root))
    found += [f"src/{name}: not in the table of {__file__}" for name in folders - set(ALLOWED)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
