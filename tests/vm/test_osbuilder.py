"""A tree like one of Kata's osbuilder, with rootspan put into it, packed as osbuilder packs it."""

import os
import pathlib
import shutil
import subprocess
import unittest

from spans import attributes, by_name, check_trace
from vmguest import SOURCE, Host, find_kernel, run

BOOT_SECONDS = 90  # emulated, on a machine that does other things too
# Longer deadlines, as everything is slower there.
SETTINGS = "trace_connect_timeout=60s\nflush_timeout=60s\nend_timeout=120s\n"
# As AGENT_INIT=yes: it is /sbin/init, and ends the machine, or so it believes.
AGENT = """#!/bin/sh
echo "kata-agent: PID $$"
poweroff -f
"""


class Osbuilder(unittest.TestCase):
    def setUp(self):
        self.out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / "osbuilder"
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                    for name in ("init", "tracer", "forwarder", "vsockd")}
        self.host = self.enterContext(Host(self.out, programs, *find_kernel()))
        self.root = self.out / "rootfs"

    def make_tree(self):
        """Userland and kernel modules, from an initrd of ours, and what osbuilder adds."""
        self.host.make_initrd(["/none"])
        self.root.mkdir()
        with open(self.host.initrd, "rb") as archive:
            subprocess.run(["cpio", "--quiet", "-idm", "--no-absolute-filenames", "--nonmatching",
                            "dev/*", "init", "sbin/*", "etc/rootspan/init.conf"],
                           cwd=self.root, stdin=archive, check=True)
        (self.root / "usr").mkdir()
        (self.root / "etc/rootspan/init.conf").write_text(SETTINGS)
        (self.root / "sbin/init").write_text(AGENT)
        (self.root / "sbin/init").chmod(0o755)

    def install(self):
        (self.out / "prefix/sbin").mkdir(parents=True)
        for name in "init", "tracer":
            (self.out / f"prefix/sbin/rootspan-{name}").symlink_to(self.host.programs[name])
        run([SOURCE / "initrd/install-into-rootfs", "--mode", "initrd",
             "--prefix", self.out / "prefix", self.root])

    def test_agent_init(self):
        self.make_tree()
        self.install()
        with open(self.host.initrd, "wb") as archive:
            subprocess.run("find . | cpio --quiet -H newc -o | gzip -9", shell=True, check=True,
                           cwd=self.root, stdout=archive)
        self.host.start_forwarder()
        # That is what Kata's runtime adds.
        with self.host.boot(cmdline="agent.trace=true") as machine:
            self.assertEqual(machine.wait(BOOT_SECONDS), 0, "QEMU's exit status")
            self.assertTrue(machine.console.find("^kata-agent: PID 1$"), machine.console.text())
        self.host.stop_forwarder()
        spans = self.host.spans()
        check_trace(spans)
        self.assertEqual(attributes(by_name(spans, "agent"))["process.exit.code"], 0)


if __name__ == "__main__":
    unittest.main()
