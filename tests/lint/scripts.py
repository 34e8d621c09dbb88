#!/usr/bin/env python3
"""Checks every script of the source tree: shell with shellcheck, Python by compiling it.

Scripts are known by their first line, or by .py; nothing under build/ counts.
"""

import os
import pathlib
import subprocess
import sys


def scripts(root):
    """Yields (path, "shell" or "python")."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".")
                            and name != "__pycache__" and (folder, name) != (str(root), "build"))
        for path in sorted(pathlib.Path(folder) / name for name in files):
            if path.suffix == ".py":
                yield path, "python"
                continue
            with open(path, "rb") as file:
                words = file.readline(100).split() if file.read(2) == b"#!" else []
            name = os.path.basename(words[-1]) if words else b""
            if name in (b"sh", b"bash"):
                yield path, "shell"
            elif name == b"python3":
                yield path, "python"


def compile_error(path):
    try:
        compile(path.read_text(), str(path), "exec")
    except SyntaxError as error:
        return f"{path}:{error.lineno}: {error.msg}"
    return None


def main():
    root, language = pathlib.Path(sys.argv[1]), sys.argv[2]
    paths = [path for path, kind in scripts(root) if kind == language]
    print(f"{len(paths)} {language} scripts")
    if not paths:
        return 1
    if language == "shell":
        return subprocess.run(["shellcheck", "--", *paths], check=False).returncode
    errors = [error for error in map(compile_error, paths) if error]
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
