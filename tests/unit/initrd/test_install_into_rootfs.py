"""install-into-rootfs, on made-up trees like those of Kata's osbuilder."""

import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import unittest

from scratch import ScratchCase

INSTALL = os.environ["ROOTSPAN_INSTALL_INTO_ROOTFS"]
VERSION = os.environ["ROOTSPAN_VERSION"]
INIT = os.environ["ROOTSPAN_INIT"]

AGENT = b"\x7fELF, announces itself as kata-agent"
SYSTEMD = b"\x7fELF, systemd"
PREFIX_FILES = {
    "sbin/rootspan-init": 0o755, "sbin/rootspan-tracer": 0o755, "sbin/rootspan-systemd": 0o755,
    "lib/systemd/system/rootspan-init.service": 0o644,
    "lib/systemd/system/rootspan.target": 0o644,
    "lib/systemd/system/kata-agent.service.d/rootspan.conf": 0o644,
}
# Runs a program, and kills it at the nth step that changes something, or lets that step fail.
INTERRUPT = """
import os, runpy, signal, sys
how, left = sys.argv[1], int(sys.argv[2])
def hook(event, arguments):
    global left
    if event in ("os.mkdir", "os.link", "os.symlink", "os.rename", "os.remove") or \\
       event == "open" and arguments[2] & os.O_CREAT:
        left -= 1
        if left == 0 and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if left == 0:
            raise OSError(28, "No space left on device")
sys.argv[:] = sys.argv[3:]
sys.addaudithook(hook)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
MANIFEST = "usr/lib/rootspan/manifest.json"


def snapshot(top):
    """Everything below a directory that a test could tell apart, times and inodes of files too.
    A directory's times change with what happens in it."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            what = [status.st_mode, status.st_uid, status.st_gid]
            if stat.S_ISLNK(status.st_mode):
                what += [os.readlink(path)]
            if stat.S_ISREG(status.st_mode):
                what += [pathlib.Path(path).read_bytes()]
            if not stat.S_ISDIR(status.st_mode):
                what += [status.st_ino, status.st_nlink, status.st_mtime_ns]
            found[os.path.relpath(path, top)] = what
    return found


def contents(top):
    """The same without what differs between two installations of the same."""
    return {path: [part for n, part in enumerate(what) if stat.S_ISDIR(what[0]) or n < 4]
            for path, what in snapshot(top).items()}


class Case(ScratchCase):
    def setUp(self):
        super().setUp()
        self.root = self.top / "rootfs"
        self.prefix = self.top / "prefix"
        for name in PREFIX_FILES:
            super().write(f"prefix/{name}", f"{name}\n".encode())
        for name in "etc", "usr/bin", "usr/lib/systemd", "usr/sbin":
            (self.root / name).mkdir(parents=True)
        (self.root / "sbin").symlink_to("usr/sbin")
        (self.root / "lib").symlink_to("usr/lib")
        self.write("etc/hostname", b"kata\n")

    def write(self, name, content=b"", mode=0o644):
        return super().write(f"rootfs/{name}", content, mode)

    def link(self, name, target):
        path = self.root / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def agent_init(self):
        """AGENT_INIT=yes: the agent has been moved to /sbin/init."""
        self.write("usr/sbin/init", AGENT, 0o750)

    def systemd_init(self):
        """AGENT_INIT=no, as an image has it."""
        self.write("usr/lib/systemd/systemd", SYSTEMD, 0o755)
        self.link("usr/sbin/init", "/lib/systemd/systemd")
        self.write("usr/bin/kata-agent", AGENT, 0o755)

    def run_raw(self, *words):
        return subprocess.run([INSTALL, *map(str, words)], capture_output=True, text=True,
                              check=False)

    def runs(self, *words):
        result = self.run_raw("--prefix", self.prefix, *words, self.root)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def refuses(self, problem, *words):
        """One line that says so, and nothing touched, in the tree or beside it."""
        before = snapshot(self.top)
        result = self.run_raw("--prefix", self.prefix, *words, self.root)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(problem, result.stderr)
        self.assertTrue(result.stderr.startswith(f"install-into-rootfs: {self.top}/"),
                        result.stderr)
        self.assertEqual(snapshot(self.top), before)

    def undone(self, before):
        self.runs("--undo")
        self.assertEqual(snapshot(self.root), before)


class Initrd(Case):
    def check_init(self):
        """What osbuilder's builders ask for on the host, and what the guest's kernel starts."""
        init = self.root / "sbin/init"
        self.assertTrue(os.access(init, os.X_OK))
        self.assertEqual(init.resolve(), self.root / "usr/sbin/rootspan-init")
        self.assertEqual((self.root / "init").resolve(), init.resolve())
        for name in "rootspan-init", "rootspan-tracer":
            path = self.root / "sbin" / name
            self.assertEqual(path.read_text(), f"sbin/{name}\n")
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o755)
        self.assertTrue(os.access(self.root / "usr/bin/kata-agent", os.X_OK))

    def test_agent_init(self):
        self.agent_init()
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.check_init()
        self.assertEqual((self.root / "usr/bin/kata-agent").read_bytes(), AGENT)
        self.assertEqual((self.root / "etc/rootspan/init.conf").read_text(), "agent_pid1=yes\n")
        self.undone(before)

    def test_systemd_init(self):
        self.systemd_init()
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.check_init()
        self.assertFalse((self.root / "etc/rootspan").exists())
        self.undone(before)

    def test_no_init(self):
        self.write("usr/bin/kata-agent", AGENT, 0o755)
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.check_init()
        self.undone(before)

    def test_another_agent(self):
        self.write("etc/rootspan/init.conf", b"agent=/opt/agent\n")
        self.runs("--mode", "initrd")
        self.assertEqual(os.readlink(self.root / "sbin/init"), "rootspan-init")

    def test_link_to_the_agent(self):
        self.write("usr/bin/kata-agent", AGENT, 0o755)
        self.link("usr/sbin/init", "../bin/kata-agent")
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.check_init()
        self.assertEqual((self.root / "etc/rootspan/init.conf").read_text(), "agent_pid1=yes\n")
        self.undone(before)

    def test_configuration_is_completed(self):
        self.agent_init()
        self.write("etc/rootspan/init.conf", b"trace=static\nagent=/usr/bin/kata-agent -x", 0o600)
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.assertEqual((self.root / "etc/rootspan/init.conf").read_text(),
                         "trace=static\nagent=/usr/bin/kata-agent -x\nagent_pid1=yes\n")
        self.undone(before)

    def test_configuration_wins(self):
        for text in b"agent_pid1=no\n", b"trace=no\n  rootspan.agent_pid1 = no", b"agent_pid1\n":
            with self.subTest(text=text):
                self.agent_init()
                path = self.write("etc/rootspan/init.conf", text)
                before = snapshot(self.root)
                self.runs("--mode", "initrd")
                self.assertEqual(path.read_bytes(), text)
                self.undone(before)

    def test_init_of_the_initrd(self):
        for target in "/sbin/init", "usr/sbin/init", "lib/systemd/systemd":
            with self.subTest(target=target):
                self.systemd_init()
                self.link("init", target)
                before = snapshot(self.root)
                self.runs("--mode", "initrd")
                self.check_init()
                self.undone(before)

    def test_real_init(self):
        if os.environ["ROOTSPAN_STATIC"] != "true":
            return  # a program with the sanitizers needs libraries
        shutil.copy(INIT, self.prefix / "sbin/rootspan-init")
        self.agent_init()
        self.runs("--mode", "initrd")
        dump = subprocess.run(["unshare", "--user", "--map-root-user", "--root", self.root, "/init",
                               "--dump-config"], capture_output=True, text=True, check=False)
        self.assertIn("agent = '/usr/bin/kata-agent'\nagent_pid1 = yes\n", dump.stdout)

    def test_cpio_takes_it(self):
        """What initrd_builder.sh does."""
        self.agent_init()
        self.runs("--mode", "initrd")
        paths = subprocess.run(["find", "."], cwd=self.root, capture_output=True, check=True).stdout
        archive = subprocess.run(["cpio", "--quiet", "-H", "newc", "-o"], cwd=self.root,
                                 input=paths, capture_output=True, check=True).stdout
        (self.top / "guest").mkdir()
        subprocess.run(["cpio", "--quiet", "-idm"], cwd=self.top / "guest", input=archive,
                       check=True)
        self.assertEqual((self.top / "guest/init").resolve(),
                         self.top / "guest/usr/sbin/rootspan-init")


class Image(Case):
    def setUp(self):
        super().setUp()
        self.systemd_init()

    def test_image(self):
        before = snapshot(self.root)
        self.runs("--mode", "image")
        after = snapshot(self.root)
        self.assertEqual({path: after[path] for path in before}, before)
        added = {path: what for path, what in after.items()
                 if path not in before and not stat.S_ISDIR(what[0])}
        del added[MANIFEST]
        self.assertEqual({path: (stat.S_IMODE(what[0]), what[3].decode())
                          for path, what in added.items()},
                         {f"usr/{path}": (mode, f"{path}\n")
                          for path, mode in PREFIX_FILES.items()})
        self.undone(before)

    def test_needs_systemd_and_an_agent(self):
        (self.root / "usr/bin/kata-agent").unlink()
        self.refuses("there is no agent", "--mode", "image")
        (self.root / "usr/lib/systemd/systemd").unlink()
        self.refuses("/usr/lib/systemd/systemd, the init there, is not systemd", "--mode", "image")
        (self.root / "usr/sbin/init").unlink()
        self.agent_init()
        self.refuses("/usr/sbin/init, the init there, is not systemd", "--mode", "image")


class Again(Case):
    def test_twice_is_once(self):
        self.agent_init()
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        once = contents(self.root)
        self.runs("--mode", "initrd")
        self.assertEqual(contents(self.root), once)
        self.undone(before)
        self.refuses("rootspan is not installed there", "--undo")

    def test_newer_programs(self):
        self.systemd_init()
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        (self.prefix / "sbin/rootspan-init").write_bytes(b"newer")
        self.runs("--mode", "initrd")
        self.assertEqual((self.root / "sbin/init").read_bytes(), b"newer")
        self.undone(before)

    def test_other_mode(self):
        self.systemd_init()
        before = snapshot(self.root)
        self.runs("--mode", "initrd")
        self.runs("--mode", "image")
        self.assertEqual(os.readlink(self.root / "sbin/init"), "/lib/systemd/systemd")
        self.assertFalse((self.root / "init").exists())
        self.undone(before)

    def test_nothing_is_lost_that_was_changed_since(self):
        self.agent_init()
        self.runs("--mode", "initrd")
        config = self.root / "etc/rootspan/init.conf"
        config.write_text("agent_pid1=yes\ntrace=static\n")
        for words in ("--undo",), ("--mode", "initrd"):
            self.refuses("/etc/rootspan/init.conf was changed since rootspan was installed", *words)
        config.unlink()
        self.write("etc/rootspan/mine", b"")
        self.write("usr/bin/kata-agent", b"another agent", 0o750)
        self.refuses("/usr/bin/kata-agent, the former /usr/sbin/init, was changed", "--undo")
        self.write("usr/bin/kata-agent", AGENT, 0o750)
        self.runs("--undo")
        self.assertEqual((self.root / "sbin/init").read_bytes(), AGENT)
        self.assertTrue((self.root / "etc/rootspan/mine").exists())

    def test_undone_by_hand(self):
        self.agent_init()
        self.runs("--mode", "initrd")
        (self.root / "usr/sbin/init").unlink()
        self.write("usr/sbin/init", AGENT, 0o750)
        self.write("usr/bin/kata-agent", b"a newer agent", 0o755)
        self.runs("--undo")
        self.assertEqual((self.root / "usr/sbin/init").read_bytes(), AGENT)
        self.assertEqual((self.root / "usr/bin/kata-agent").read_bytes(), b"a newer agent")

    def snapshot_of_a_tree(self):
        """Of one in which everything there is to do is to be done."""
        self.agent_init()
        self.write("etc/rootspan/init.conf", b"trace=static\n")
        self.link("init", "sbin/init")
        return snapshot(self.root)

    def interrupted(self, how):
        """Runs it with each of its steps interrupted in turn; yields the status."""
        for n in range(1, 1000):
            result = subprocess.run(
                [sys.executable, "-c", INTERRUPT, how, str(n), INSTALL, "--prefix", self.prefix,
                 "--mode", "initrd", self.root], capture_output=True, check=False)
            if result.returncode == 0:
                break
            yield result.returncode
        self.assertGreater(n, 20)
        self.assertEqual(os.readlink(self.root / "sbin/init"), "rootspan-init")

    def test_failure_restores(self):
        before = self.snapshot_of_a_tree()
        for status in self.interrupted("fail"):
            self.assertEqual(status, 1)
            self.assertEqual(snapshot(self.root), before)

    def test_undo_after_a_kill(self):
        before = self.snapshot_of_a_tree()
        for status in self.interrupted("kill"):
            self.assertEqual(status, -signal.SIGKILL)
            if not (self.root / MANIFEST).exists():
                left = snapshot(self.root)
                self.assertEqual({path: left[path] for path in before}, before)
                self.runs("--mode", "initrd")
            self.undone(before)


class Refusals(Case):
    def test_not_a_root_file_system(self):
        shutil.rmtree(self.root / "etc")
        self.refuses("is not a root file system: there is no directory /etc", "--mode", "initrd")
        self.write("etc", b"")
        self.refuses("is not a root file system: there is no directory /etc", "--mode", "initrd")
        shutil.rmtree(self.root)
        self.refuses("No such file", "--mode", "initrd")
        self.root.write_bytes(b"")
        self.refuses("Not a directory", "--mode", "initrd")

    def test_running_system(self):
        result = self.run_raw("--undo", "/")  # as that would do no harm
        self.assertEqual(result.returncode, 1)
        self.assertIn("is the running system's own root file system", result.stderr)

    def test_another_init(self):
        self.write("usr/bin/kata-agent", AGENT, 0o755)
        self.write("usr/sbin/init", b"\x7fELF, sysvinit", 0o755)
        self.refuses("/usr/sbin/init, the init there, is neither kata-agent nor systemd",
                     "--mode", "initrd")
        self.link("usr/sbin/init", "/bin/busybox")
        self.refuses("/bin/busybox, the init there, is neither", "--mode", "initrd")
        self.link("usr/sbin/init", "rootspan-init")
        self.refuses("/usr/sbin/rootspan-init, the init there, is neither", "--mode", "initrd")
        (self.root / "usr/sbin/init").unlink()
        os.mkfifo(self.root / "usr/sbin/init")
        self.refuses("/usr/sbin/init, the init there, is neither", "--mode", "initrd")

    def test_another_init_of_the_initrd(self):
        self.agent_init()
        self.write("init", b"#!/bin/sh\n", 0o755)
        self.refuses("/init is /init, and not the same as /sbin/init", "--mode", "initrd")

    def test_agents(self):
        self.refuses("there is no agent", "--mode", "initrd")
        self.agent_init()
        self.write("usr/bin/kata-agent", AGENT, 0o755)
        self.refuses("/usr/bin/kata-agent is there already", "--mode", "initrd")

    def test_files_of_others(self):
        self.agent_init()
        self.write("usr/sbin/rootspan-tracer", b"")
        self.refuses("/usr/sbin/rootspan-tracer is there already, and not from here",
                     "--mode", "initrd")

    def test_missing_source(self):
        self.agent_init()
        (self.prefix / "sbin/rootspan-tracer").unlink()
        self.refuses("prefix/sbin/rootspan-tracer: No such file", "--mode", "initrd")


class Hostile(Case):
    """Nothing outside of the tree changes, whatever is in it: refuses() compares that, too."""

    def setUp(self):
        super().setUp()
        self.outside = self.top / "outside"
        self.outside.mkdir()
        (self.outside / "init.conf").write_bytes(b"secret\n")
        self.agent_init()

    def install(self):
        """It must work, inside."""
        outside, before = snapshot(self.outside), snapshot(self.root)
        self.runs("--mode", "initrd")
        self.assertEqual(snapshot(self.outside), outside)
        self.undone(before)
        self.assertEqual(snapshot(self.outside), outside)

    def test_absolute_links_stay_inside(self):
        for name in "etc/rootspan", "usr/lib/rootspan":
            self.link(name, self.outside)
            self.install()
        self.link("sbin", "/usr/sbin")
        self.install()

    def test_links_out(self):
        self.link("etc/rootspan", "../../outside")
        self.refuses("/etc/rootspan/init.conf: a symbolic link leads out of the tree",
                     "--mode", "initrd")
        (self.root / "etc/rootspan").unlink()
        self.link("sbin", "../outside")
        self.refuses("/sbin: a symbolic link leads out of the tree", "--mode", "initrd")

    def test_links_to_nowhere_and_in_circles(self):
        self.link("etc/rootspan", "rootspan")
        self.refuses("too many symbolic links", "--mode", "initrd")
        self.link("sbin", ".")
        self.refuses("'/' cannot be used", "--mode", "initrd")

    def test_what_is_where_our_own_goes(self):
        self.write("usr/lib/rootspan/part/of/another")
        self.refuses("/usr/lib/rootspan/part: File exists", "--mode", "initrd")
        shutil.rmtree(self.root / "usr/lib/rootspan/part")
        self.link("usr/lib/rootspan/part", self.outside / "init.conf")
        outside = snapshot(self.outside)
        self.runs("--mode", "initrd")
        self.assertEqual(snapshot(self.outside), outside)

    def test_kept_names_in_the_way(self):
        self.link("init", "sbin/init")
        self.link("usr/lib/rootspan", self.outside)
        (self.root / self.outside.relative_to("/") / "kept").mkdir(parents=True)
        self.write(f"{self.outside.relative_to('/')}/kept/init")
        self.refuses("/kept/init is there already", "--mode", "initrd")

    def test_configuration(self):
        config = self.root / "etc/rootspan/init.conf"
        config.parent.mkdir()
        for make in (os.mkfifo, os.mkdir, lambda path: path.write_bytes(bytes(2 << 20))):
            make(config)
            self.refuses("init.conf", "--mode", "initrd")
            (config.rmdir if config.is_dir() else config.unlink)()

    def test_manifests(self):
        done = {"path": "init", "digest": "", "kept": "", "original": ""}
        outside = os.path.relpath(self.outside, self.root)
        for manifest, problem in (
                (b"", "damaged"), (b"[]", "damaged"), (b"[" * 200_000, "damaged"),
                (b"{\xff", "damaged"), (bytes(2 << 20), "too large"),
                ({"directories": []}, "damaged"),
                ({"directories": [1], "files": []}, "damaged"),
                ({"directories": [], "files": [{"path": "x"}]}, "damaged"),
                ({"directories": [], "files": [done | {"path": "a\0b"}]}, "damaged"),
                ({"directories": [], "files": [done | {"path": "\ud800"}]}, "damaged"),
                ({"directories": [], "files": [done | {"kept": 5}]}, "damaged"),
                ({"directories": [], "files": [done | {"path": f"{outside}/init.conf"}]},
                 "cannot be used"),
                ({"directories": [], "files": [done | {"path": "etc/.."}]}, "cannot be used"),
                ({"directories": [], "files": [done | {"path": "etc/link/init.conf"}]},
                 "Not a directory"),
                ({"directories": [],
                  "files": [done | {"path": f"{self.outside}/init.conf"}]}, "cannot be used")):
            with self.subTest(manifest=str(manifest)[:80]):
                if isinstance(manifest, dict):
                    manifest = json.dumps(manifest).encode()
                self.link("etc/link", self.outside)
                self.write(MANIFEST, manifest)
                for words in ("--undo",), ("--mode", "initrd"):
                    self.refuses(problem, *words)

    def test_manifest_names_a_link(self):
        (self.root / "usr/lib/rootspan").mkdir()
        self.link(MANIFEST, self.outside / "init.conf")
        self.refuses("Too many levels of symbolic links", "--undo")

    def test_directories_outside_are_not_removed(self):
        (self.outside / "empty").mkdir()
        outside = os.path.relpath(self.outside, self.root)
        self.link("etc/link", self.outside)
        for path, problem in (("etc/link/empty", "Not a directory"),
                              (f"{outside}/empty", "cannot be used")):
            self.write(MANIFEST, json.dumps({"files": [], "directories": [path]}).encode())
            self.refuses(problem, "--undo")


class Usage(Case):
    def test_help_and_version(self):
        text = self.run_raw("--help")
        self.assertEqual(text.returncode, 0)
        self.assertIn("--mode {initrd,image}", text.stdout)
        self.assertEqual(self.run_raw("--version").stdout,
                         f"rootspan-install-into-rootfs {VERSION}\n")

    def test_usage_errors(self):
        for words in ((), (self.root,), ("--mode", "initrd"), ("--mode", "disk", self.root),
                      ("--mode", "initrd", "--undo", self.root)):
            self.assertEqual(self.run_raw(*words).returncode, 2)

    def test_man_page_has_every_option_of_help_and_no_other(self):
        options = set(re.findall(r"(?<!\S)\[?--([a-z-]+)", self.run_raw("--help").stdout))
        manual = pathlib.Path(os.environ["ROOTSPAN_INSTALL_INTO_ROOTFS_MANUAL"]).read_text()
        items = " ".join(line for line in manual.splitlines() if line.startswith(".It Fl"))
        self.assertEqual(options, set(re.findall(r"(?:Fl|,) -([a-z-]+)", items)))


if __name__ == "__main__":
    unittest.main()
