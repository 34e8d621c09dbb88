"""tools/fetch-kernel, with Debian's tools played by scripts."""

import os
import pathlib
import subprocess
import tempfile
import unittest

FETCH_KERNEL = os.environ["ROOTSPAN_FETCH_KERNEL"]
APT_CACHE = "[ $2 = linux-image-cloud-amd64 ] && echo 'Depends: linux-image-1-amd64 (= 2), x'"
APT_GET = """
for word; do last=$word; done
echo "$last" >>"$STATE/asked"
case $last in
update) touch "$STATE/updated" ;;
linux-image-1-amd64) [ -e "$STATE/updated" ] && echo package >linux-image.deb ;;
esac"""
DPKG_DEB = """
mkdir -p "$3/boot" "$3/lib/modules/1-amd64"
echo kernel >"$3/boot/vmlinuz-1-amd64"
"""
DEPMOD = '[ "$1" = -b ] && echo >"$2/lib/modules/$3/modules.dep"'


class FetchKernel(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="rootspan-fetch-kernel-")
        self.addCleanup(directory.cleanup)
        self.top = pathlib.Path(directory.name)
        self.out = self.top / "deep" / "kernel"
        (self.top / "bin").mkdir()
        self.tool("apt-cache", APT_CACHE)
        self.tool("apt-get", APT_GET)
        self.tool("dpkg-deb", DPKG_DEB)
        self.tool("depmod", DEPMOD)
        self.tool("id", "echo 0")

    def tool(self, name, text):
        path = self.top / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fetch(self):
        return subprocess.run([FETCH_KERNEL, self.out], capture_output=True, text=True, check=False,
                              env={"PATH": f"{self.top}/bin:/usr/bin:/bin", "STATE": self.top})

    def asked(self):
        return (self.top / "asked").read_text().split()

    def check_nothing_left(self):
        self.assertFalse(self.out.exists())
        self.assertEqual(list(self.out.parent.glob("*")), [])

    def test_old_package_lists_are_updated_once(self):
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.asked(), ["linux-image-1-amd64", "update", "linux-image-1-amd64"])
        self.assertEqual((self.out / "vmlinuz").read_text(), "kernel\n")
        self.assertEqual((self.out / "modules").resolve().name, "1-amd64")
        self.assertTrue((self.out / "modules/modules.dep").exists())
        self.assertEqual(list(self.out.parent.iterdir()), [self.out])

    def test_second_run_does_nothing(self):
        self.fetch()
        before = self.asked()
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual(self.asked(), before)

    def test_failures_leave_nothing_and_say_what_to_do(self):
        for name, text in ("apt-get", "exit 100"), ("dpkg-deb", "exit 2"), ("depmod", "exit 1"), \
                ("depmod", "exit 0"), ("apt-cache", "exit 100"):
            with self.subTest(name):
                self.setUp()
                self.tool(name, text)
                result = self.fetch()
                self.assertNotEqual(result.returncode, 0)
                self.check_nothing_left()
        self.assertIn("ROOTSPAN_KERNEL", result.stderr)

    def test_without_root_somebody_else_must_update(self):
        self.tool("id", "echo 1000")
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("run apt-get update as root", result.stderr)
        self.check_nothing_left()

    def test_incomplete_directory_is_not_touched(self):
        self.out.mkdir(parents=True)
        (self.out / "mine").touch()
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("incomplete", result.stderr)
        self.assertEqual([path.name for path in self.out.iterdir()], ["mine"])


if __name__ == "__main__":
    unittest.main()
