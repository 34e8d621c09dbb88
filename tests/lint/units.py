#!/usr/bin/env python3
"""Lets systemd read every unit, in a root directory where all they start and need is there.

Arguments: units/ of the source, units/ of the build, the directory of the forwarder.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import kata

SKIPPED = 77  # for Meson
EXPOSURE_MAX = 2
SYSTEM = pathlib.Path("/lib/systemd/system")
GUEST_PROGRAMS = "/sbin/rootspan-init", "/sbin/rootspan-systemd", "/usr/bin/kata-agent"


def make_root(root, sources, programs):
    units = root / SYSTEM.relative_to("/")
    shutil.copytree(SYSTEM, units, symlinks=True)
    for source in sources:
        shutil.copytree(source, units, symlinks=True, dirs_exist_ok=True)
    (units / "kata-agent.service").write_text(kata.AGENT_UNIT)
    for program in *programs, "/bin/sync", "/usr/bin/systemctl":
        path = root / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        path.chmod(0o755)


def analyze(*arguments):
    result = subprocess.run(["systemd-analyze", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def main():
    source, build, bindir = map(pathlib.Path, sys.argv[1:])
    if not shutil.which("systemd-analyze") or not SYSTEM.is_dir():
        print("SKIPPED: there is no systemd-analyze here; tools/deps installs it", file=sys.stderr)
        return SKIPPED
    names = [path.name for directory in (source, build) for path in directory.iterdir()
             if path.suffix in (".service", ".socket", ".target")]
    names = sorted(name.replace("@.", "@x.") for name in names) + ["kata-agent.service"]
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        make_root(pathlib.Path(directory), [source, build],
                  [*GUEST_PROGRAMS, f"{bindir}/rootspan-forwarder"])
        status, output = analyze("verify", "--man=no", f"--root={directory}", *names)
        if status != 0 or output:
            print(output)
            failed = True
        for name in names:
            if not name.startswith("rootspan-forwarder") or not name.endswith(".service"):
                continue
            _, output = analyze("security", "--offline=true", f"--root={directory}", name)
            level = re.search(r"exposure level for \S+: ([\d.]+)", output)
            if not level or float(level[1]) >= EXPOSURE_MAX:
                print(f"{name}: exposure {level and level[1]}, to be below {EXPOSURE_MAX}")
                failed = True
    print(f"{len(names)} units")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
