"""What the interop tests need from package registries, pinned by the lock files in the folders here
and kept in build/interop, so that it is fetched once for each content of a lock file."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build/interop"


class Missing(Exception):
    """A toolchain or registry that is not there."""


def run(command, directory=HERE, **environment):
    if not shutil.which(command[0]):
        raise Missing(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=directory, env=os.environ | environment,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:3])} says: {done.stderr.strip()}")


def fetch(name, sources, fill):
    """The directory that @fill fills as @sources say."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    result = CACHE / f"{name}-{digest[:16]}"
    if not result.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as parent:
            part = pathlib.Path(parent) / name
            part.mkdir()
            fill(part)
            part.rename(result)
    return result


def python_packages():
    """The SDK and the decoder of OpenTelemetry, in pure Python, which runs everywhere."""
    requirements = HERE / "python/requirements.txt"
    return fetch("python", [requirements], lambda part: run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--target",
         str(part), "--no-compile", "--only-binary", ":all:", "--platform", "any", "--no-deps",
         "--require-hashes", "--requirement", str(requirements)]))


def node_packages():
    sources = [HERE / "node" / name for name in ("package.json", "package-lock.json")]

    def fill(part):
        for source in sources:
            shutil.copy(source, part)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], part)

    return fetch("node", sources, fill)


def go_program(folder):
    """What the Go module in @folder builds to, as app in a directory."""
    sources = [folder / name for name in ("go.mod", "go.sum", "main.go")]
    return fetch(folder.name, sources, lambda part: run(
        ["go", "build", "-mod=readonly", "-o", str(part / "app"), "."], folder,
        CGO_ENABLED="0", GOTOOLCHAIN="local"))
