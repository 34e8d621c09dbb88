"""A directory for each test."""

import pathlib
import tempfile
import unittest


class ScratchCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="rootspan-test-")
        self.addCleanup(directory.cleanup)
        self.top = pathlib.Path(directory.name)

    def write(self, name, content=b"", mode=0o644):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path
