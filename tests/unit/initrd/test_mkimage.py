"""rootspan-mkimage on packages made here: what is in its disk and initramfs. That they boot is for
tests/vm/test_image.py."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

PYTHON = "/usr/bin/python3"  # which nobody can run, too
MKIMAGE = os.environ["ROOTSPAN_MKIMAGE"]
SOURCE = pathlib.Path(MKIMAGE).parents[1]
NOBODY = 65534
UNITS = "usr/lib/systemd/system"
# Of a package: its files. systemd's are those that matter here.
PACKAGES = {
    "systemd": [f"{UNITS}/basic.target", f"{UNITS}/systemd-journald.service",
                f"{UNITS}/sockets.target.wants/systemd-journald.socket",
                "usr/lib/systemd/system-generators/systemd-getty-generator",
                "usr/share/doc/systemd/README"],
    "systemd-sysv": ["sbin/init"],
    "busybox-static": [],
    "udev": [f"{UNITS}/systemd-udevd.service"],
    "dbus": [f"{UNITS}/dbus.service"],
}


def make_package(cache, name, files):
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory)
        for path in ["DEBIAN/control", *files]:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\n"
                                     "Maintainer: none\nDescription: none\n")
        if name == "busybox-static":
            (tree / "bin").mkdir()
            shutil.copy("/bin/busybox", tree / "bin")
        tree.chmod(0o755)
        subprocess.run(["dpkg-deb", "-Znone", "--build", tree, cache / f"{name}_1_all.deb"], check=True,
                       stdout=subprocess.DEVNULL)


class Image(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        cache = self.directory / "cache"
        cache.mkdir()
        for name, files in PACKAGES.items():
            make_package(cache, name, files)
        every = ["systemd", "systemd-sysv", "busybox-static", "udev", "dbus"]
        for names in every, every[:3]:
            (cache / ("list-" + "+".join(names))).write_text("\n".join(names))
        for name in "init", "tracer", "systemd":
            (self.directory / name).write_text(f"program {name}\n")
        modules = self.directory / "modules"
        modules.mkdir()
        (modules / "modules.dep").write_text("")
        (modules / "modules.builtin").write_text("kernel/virtio_pci.ko\n")
        (self.directory / "init.conf").write_text("trace=static\n")
        self.disk = self.directory / "disk.img"

    def command(self, *options):
        paths = {name: self.directory / name for name in ("init", "tracer", "systemd", "cache")}
        return [PYTHON, MKIMAGE, "-o", self.disk,
                "--initramfs", self.directory / "initramfs", "--units", SOURCE / "units",
                *(word for name, path in paths.items() for word in (f"--{name}", path)),
                "--kernel-modules", self.directory / "modules", "--module", "virtio_pci",
                "--config", self.directory / "init.conf", *options]

    def make(self, *options, **keywords):
        result = subprocess.run(self.command(*options), capture_output=True, text=True, timeout=60,
                                check=False, **keywords)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def debugfs(self, command):
        return subprocess.run(["/sbin/debugfs", "-R", command, self.disk], capture_output=True,
                              text=True, check=True).stdout

    def has(self, path):
        return "Inode:" in self.debugfs(f"stat {path}")

    def test_what_is_in_it(self):
        self.make("--hostname", "guest-7", "--file", f"{MKIMAGE}:/usr/bin/tool")
        for name in "init", "tracer", "systemd":
            self.assertEqual(self.debugfs(f"cat /usr/sbin/rootspan-{name}"), f"program {name}\n")
        self.assertEqual(self.debugfs("cat /etc/rootspan/init.conf"), "trace=static\n")
        self.assertEqual(self.debugfs("cat /etc/hostname"), "guest-7\n")
        self.assertIn('Fast link dest: "rootspan.target"',
                      self.debugfs(f"stat {UNITS}/default.target"))
        # What a package has in /sbin is in /usr/sbin, and the link to it is whole.
        self.assertTrue(self.has("/usr/sbin/init"))
        self.assertIn('Fast link dest: "usr/sbin"', self.debugfs("stat /sbin"))
        self.assertIn("0755", self.debugfs("stat /usr/bin/tool"))
        for name in "systemd-journald.service", "systemd-udevd.service", "dbus.service", \
                    "rootspan-init.service", "kata-agent.service.d/rootspan.conf":
            self.assertTrue(self.has(f"{UNITS}/{name}"), name)
        for path in "/usr/share/doc", f"{UNITS}/rootspan-forwarder.socket":
            self.assertFalse(self.has(path), path)

    def test_stripped(self):
        self.make("--stripped")
        self.assertTrue(self.has(f"{UNITS}/basic.target"))
        for path in (f"{UNITS}/systemd-journald.service", f"{UNITS}/dbus.service",
                     f"{UNITS}/sockets.target.wants/systemd-journald.socket",
                     f"{UNITS}/systemd-udevd.service",
                     "usr/lib/systemd/system-generators/systemd-getty-generator"):
            self.assertFalse(self.has(path), path)

    def test_without_root(self):
        """All belongs to root, whoever makes it."""
        for path in [self.directory, *self.directory.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        self.make(user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertEqual(self.disk.stat().st_uid, NOBODY)
        for path in "/", "/usr/sbin/rootspan-init", "/usr/bin/busybox", UNITS:
            self.assertRegex(self.debugfs(f"stat {path}"), r"User: +0 +Group: +0\b")

    def test_a_failure_leaves_what_was_there(self):
        self.disk.write_text("old\n")
        (self.directory / "cache/dbus_1_all.deb").write_text("damaged\n")
        result = subprocess.run(self.command(), capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^rootspan-mkimage: \S+/dbus_1_all.deb: .*\n$")
        self.assertEqual(self.disk.read_text(), "old\n")
        self.assertFalse((self.directory / "disk.img.part").exists())

    def test_help_and_man_page(self):
        text = subprocess.run([MKIMAGE, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"(?<!\S)--([a-z-]+)", text))
        manual = (SOURCE / "docs/man/rootspan-mkimage.1").read_text()
        items = " ".join(line for line in manual.splitlines() if line.startswith(".It Fl"))
        self.assertEqual(options, set(re.findall(r"(?:Fl|,) -([a-z-]+)", items)))


if __name__ == "__main__":
    unittest.main()
