"""rootspan-mkinitrd, by what the real cpio makes of its archives."""

import gzip
import lzma
import os
import pathlib
import re
import stat
import struct
import subprocess
import unittest

from scratch import ScratchCase

MKINITRD = os.environ["ROOTSPAN_MKINITRD"]
VERSION = os.environ["ROOTSPAN_VERSION"]
INIT = os.environ["ROOTSPAN_INIT"]
TRACER = os.environ["ROOTSPAN_TRACER"]
SIZE_MAX = 3_000_000


def elf(interpreter=None):
    """The smallest ELF program that a loader could be asked for."""
    path = interpreter.encode() + b"\0" if interpreter else b""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if interpreter else 1
    return header + struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(path), len(path), 1) + path


class Case(ScratchCase):
    def setUp(self):
        super().setUp()
        self.write("init", elf(), 0o755)
        self.write("tracer", elf(), 0o755)

    def run_raw(self, *words, environment=None, **options):
        return subprocess.run([MKINITRD, *words], capture_output=True, text=True, check=False,
                              env={**os.environ, **(environment or {})}, **options)

    def make(self, *words, output="initrd.cpio", **options):
        """Runs it with an init and a tracer; returns what it said and the output's path."""
        path = self.top / output
        path.parent.mkdir(exist_ok=True)
        return self.run_raw("-o", str(path), "--init", str(self.top / "init"),
                            "--tracer", str(self.top / "tracer"), *map(str, words),
                            **options), path

    def extract(self, *words, **options):
        """Makes an initrd and unpacks it; returns the root directory."""
        result, path = self.make(*words, **options)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        return self.unpack(path)

    def unpack(self, path):
        root = self.top / "root"
        root.mkdir()
        # Only root may make device nodes; who is not root gets the rest.
        nodes = [] if os.geteuid() == 0 else ["--nonmatching", "dev/*"]
        with open(path, "rb") as archive:
            subprocess.run(["cpio", "--quiet", "-idm", "--no-absolute-filenames", *nodes],
                           cwd=root, stdin=archive, check=True)
        return root

    def fails(self, text, *words, status=1):
        """It must say what is wrong in one line, and leave no output."""
        result, path = self.make(*words)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(text, result.stderr)
        if status == 1:
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertEqual([], list(self.top.glob("initrd*")))
        self.assertFalse(path.exists())


class Layout(Case):
    def test_programs_links_and_directories(self):
        root = self.extract()
        self.assertEqual((root / "sbin/rootspan-init").read_bytes(), elf())
        self.assertEqual(stat.S_IMODE((root / "sbin/rootspan-tracer").stat().st_mode), 0o755)
        for link in "init", "sbin/init":
            self.assertEqual(os.readlink(root / link), "/sbin/rootspan-init")
        for directory in "dev", "etc", "proc", "run", "sys", "tmp":
            self.assertTrue((root / directory).is_dir(), directory)
        self.assertEqual(stat.S_IMODE((root / "tmp").stat().st_mode), 0o1777)

    def test_owner_device_nodes_and_times(self):
        _, path = self.make(environment={"SOURCE_DATE_EPOCH": "86400"})
        with open(path, "rb") as archive:
            listing = subprocess.run(["cpio", "--quiet", "-itvn"], stdin=archive, check=True,
                                     capture_output=True, text=True,
                                     env={**os.environ, "TZ": "UTC"}).stdout.splitlines()
        fields = {line.split()[-1]: line.split() for line in listing if " -> " not in line}
        self.assertEqual(fields["dev/console"][0], "crw-------")
        self.assertEqual(fields["dev/console"][4:6], ["5,", "1"])
        self.assertEqual(fields["dev/null"][0], "crw-rw-rw-")
        self.assertEqual(fields["dev/null"][4:6], ["1,", "3"])
        for line in listing:
            self.assertEqual(line.split()[2:4], ["0", "0"], line)
            self.assertIn("Jan  2  1970", line)

    def test_configuration_host_name_and_files(self):
        config = self.write("conf", b"trace=static\n")
        plain = self.write("plain", b"p", 0o600)
        script = self.write("script", b"s", 0o700)
        root = self.extract("--config", config, "--hostname", "guest-1",
                            "--file", f"{plain}:/etc/deep/plain", "--file", f"{script}:/bin/s",
                            "--file", f"{plain}:/bin/suid:4755")
        self.assertEqual((root / "etc/rootspan/init.conf").read_text(), "trace=static\n")
        self.assertEqual((root / "etc/hostname").read_text(), "guest-1\n")
        modes = {name: stat.S_IMODE((root / name).stat().st_mode)
                 for name in ("etc/deep", "etc/deep/plain", "bin/s", "bin/suid")}
        self.assertEqual(modes, {"etc/deep": 0o755, "etc/deep/plain": 0o644, "bin/s": 0o755,
                                 "bin/suid": 0o4755})

    def test_agent_is_started_unless_the_configuration_names_one(self):
        agent = self.write("my agent", elf(), 0o755)
        config = self.write("conf", b"trace=static")
        root = self.extract("--agent", agent, "--config", config)
        self.assertEqual((root / "usr/bin/my agent").read_bytes(), elf())
        self.assertEqual((root / "etc/rootspan/init.conf").read_text(),
                         "trace=static\nagent='/usr/bin/my agent'\n")

    def test_configured_agent_wins(self):
        agent = self.write("agent", elf(), 0o755)
        config = self.write("conf", b"agent=/opt/agent --fast\n")
        root = self.extract("--agent", f"{agent}:/opt/agent", "--config", config)
        self.assertTrue((root / "opt/agent").exists())
        self.assertEqual((root / "etc/rootspan/init.conf").read_text(),
                         "agent=/opt/agent --fast\n")

    def test_gzip_by_name_and_by_option(self):
        _, plain = self.make()
        _, by_name = self.make(output="initrd.cpio.gz")
        _, by_option = self.make("--compress", "gzip", output="packed")
        _, not_packed = self.make("--compress", "none", output="plain.gz")
        self.assertEqual(gzip.decompress(by_name.read_bytes()), plain.read_bytes())
        self.assertEqual(by_name.read_bytes()[3:8], bytes(5), "gzip's flags and time")
        self.assertEqual(by_option.read_bytes(), by_name.read_bytes())
        self.assertEqual(not_packed.read_bytes(), plain.read_bytes())

    def test_real_programs_are_small(self):
        path = self.top / "initrd.cpio"
        result = self.run_raw("-o", str(path), "--init", INIT, "--tracer", TRACER,
                              "--with-libraries")
        self.assertEqual(result.returncode, 0, result.stderr)
        if os.environ["ROOTSPAN_STATIC"] == "true":
            self.assertLess(path.stat().st_size, SIZE_MAX)


class Tree(Case):
    def test_modes_links_and_merged_directories(self):
        self.write("tree/usr/sbin/tool", b"t", 0o700)
        (self.top / "tree/sbin").symlink_to("usr/sbin")
        (self.top / "tree/empty").mkdir(mode=0o700)
        root = self.extract("--tree", self.top / "tree")
        self.assertEqual(os.readlink(root / "sbin"), "usr/sbin")
        self.assertEqual((root / "usr/sbin/rootspan-init").read_bytes(), elf())
        self.assertEqual(stat.S_IMODE((root / "usr/sbin/tool").stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((root / "empty").stat().st_mode), 0o700)

    def test_files_replace_what_a_tree_has(self):
        self.write("tree/sbin/init", b"another init")
        self.write("tree/etc/hostname", b"another name\n")
        root = self.extract("--tree", self.top / "tree", "--hostname", "mine")
        self.assertEqual(os.readlink(root / "sbin/init"), "/sbin/rootspan-init")
        self.assertEqual((root / "etc/hostname").read_text(), "mine\n")

    def test_destination_and_two_trees(self):
        self.write("one/a", b"a")
        self.write("two/b", b"b")
        self.write("two/a", b"a")
        root = self.extract("--tree", f"{self.top}/one:/opt", "--tree", f"{self.top}/two:/opt")
        self.assertEqual(sorted(path.name for path in (root / "opt").iterdir()), ["a", "b"])

    def test_links_cannot_lead_outside(self):
        (self.top / "tree").mkdir()
        (self.top / "tree/etc").symlink_to("../../../../escape")
        root = self.extract("--tree", self.top / "tree", "--hostname", "x")
        self.assertEqual((root / "escape/hostname").read_text(), "x\n")
        self.assertFalse((self.top / "escape").exists())

    def test_what_cannot_be(self):
        self.write("one/a", b"a")
        self.write("two/a", b"b")
        self.write("file/etc", b"")
        (self.top / "loop").mkdir()
        (self.top / "loop/etc").symlink_to("etc")
        self.fails("/a would be there twice", "--tree", self.top / "one", "--tree",
                   self.top / "two")
        self.fails("/etc is to be a directory", "--tree", self.top / "file")
        self.fails("too many symbolic links", "--tree", self.top / "loop")
        self.fails("none: No such file", "--tree", self.top / "none")


class Modules(Case):
    def setUp(self):
        super().setUp()
        # As depmod writes it: what to load first stands last.
        self.write("lib/modules.dep", b"kernel/a-top.ko.xz: kernel/mid.ko.gz kernel/base.ko\n"
                                      b"kernel/mid.ko.gz: kernel/base.ko\n"
                                      b"kernel/base.ko:\nkernel/other.ko: kernel/mid.ko.gz "
                                      b"kernel/base.ko\nkernel/z.ko.zst:\nkernel/bad.ko.xz:\n")
        self.write("lib/modules.builtin", b"kernel/drivers/built-in.ko\n")
        self.write("lib/kernel/base.ko", b"base")
        self.write("lib/kernel/other.ko", b"other")
        self.write("lib/kernel/mid.ko.gz", gzip.compress(b"mid"))
        self.write("lib/kernel/a-top.ko.xz", lzma.compress(b"top"))
        self.write("lib/kernel/bad.ko.xz", b"not xz")

    def test_load_order_and_content(self):
        root = self.extract("--kernel-modules", self.top / "lib", "--module", "a-top",
                            "--module", "built_in", "--module", "other", "--module", "a_top")
        paths = (root / "etc/rootspan/modules").read_text().splitlines()
        self.assertEqual([path.rsplit("/", 1)[1] for path in paths],
                         ["base.ko", "mid.ko", "a_top.ko", "other.ko"])
        self.assertEqual([(root / path[1:]).read_bytes() for path in paths],
                         [b"base", b"mid", b"top", b"other"])

    def test_zstd(self):
        packed = subprocess.run(["zstd", "-qc"], input=b"zst", capture_output=True, check=True)
        self.write("lib/kernel/z.ko.zst", packed.stdout)
        root = self.extract("--kernel-modules", self.top / "lib", "--module", "z")
        self.assertEqual((root / "lib/modules/rootspan/z.ko").read_bytes(), b"zst")

    def test_without_zstd(self):
        self.write("lib/kernel/z.ko.zst", b"")
        self.write("bin/python3", b"").unlink()
        (self.top / "bin/python3").symlink_to(os.path.realpath("/proc/self/exe"))
        result, _ = self.make("--kernel-modules", self.top / "lib", "--module", "z",
                              environment={"PATH": str(self.top / "bin")})
        self.assertEqual(result.returncode, 1)
        self.assertIn("the zstd program is needed", result.stderr)

    def test_errors(self):
        lib = self.top / "lib"
        self.fails("no module nosuch", "--kernel-modules", lib, "--module", "nosuch")
        self.fails("bad.ko.xz: ", "--kernel-modules", lib, "--module", "bad")
        self.fails("modules.dep: No such file", "--kernel-modules", self.top)
        self.fails("--module needs --kernel-modules", "--module", "base", status=2)


class Programs(Case):
    def test_program_that_could_not_start(self):
        for content in elf("/lib64/ld-none.so"), b"#!/lib64/ld-none.so -x\necho\n":
            agent = self.write("agent", content, 0o755)
            self.fails("it needs /lib64/ld-none.so", "--agent", agent)

    def test_interpreter_in_a_tree_is_enough(self):
        agent = self.write("agent", b"#!/bin/sh\n", 0o755)
        self.write("tree/bin/busybox", elf(), 0o755)
        (self.top / "tree/bin/sh").symlink_to("busybox")
        self.assertTrue((self.extract("--agent", agent, "--tree", self.top / "tree") /
                         "usr/bin/agent").exists())

    def test_libraries_of_this_machine(self):
        root = self.extract("--agent", "/usr/bin/env:/bin/env", "--with-libraries")
        names = {path.name for path in root.rglob("*.so*")}
        self.assertIn("libc.so.6", names)
        if os.geteuid() == 0:
            out = subprocess.run(["chroot", root, "/bin/env", "-i", "A=1", "/bin/env"],
                                 capture_output=True, text=True, check=True).stdout
            self.assertEqual(out, "A=1\n")

    def test_damaged_programs_are_not_parsed_beyond_their_end(self):
        whole = elf("/lib/ld.so")
        for n in range(0, len(whole), 9):
            agent = self.write("agent", whole[:n], 0o755)
            result, _ = self.make("--agent", agent)
            self.assertIn(result.returncode, (0, 1))
            self.assertNotIn("Traceback", result.stderr)


class Reproducible(Case):
    def test_same_input_same_bytes(self):
        """Other directories, umask, time zone, locale and hash seed; files made in other orders."""
        archives = []
        for n, (names, umask, environment) in enumerate((
                ("abc", 0o022, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
                ("cba", 0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}))):
            here = f"place-{n}" * (n + 1)
            for name in names:
                self.write(f"{here}/tree/{name}", name.encode())
            self.write(f"{here}/file", b"#!/bin/true\n", 0o755)
            os.utime(self.top / here / "file", (n, n))
            for directory in self.top / here / "tree", self.top / here:
                directory.chmod(0o755)
            result, path = self.make("--tree", "tree", "--file", "file:/bin/true",
                                     "--agent", "file:/bin/agent", "--hostname", "h",
                                     output=f"{n}/initrd.cpio.gz", umask=umask,
                                     cwd=self.top / here, environment=environment)
            self.assertEqual(result.returncode, 0, result.stderr)
            archives.append(path.read_bytes())
        self.assertEqual(archives[0], archives[1])
        self.assertNotIn(str(self.top).encode(), gzip.decompress(archives[0]))

    def test_inode_numbers_count_up(self):
        _, path = self.make()
        data = path.read_bytes()
        self.assertEqual(len(data) % 512, 0)
        at, inodes, names = 0, [], []
        while True:
            self.assertEqual(data[at:at + 6], b"070701")
            fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = data[at + 110:at + 110 + fields[11] - 1].decode()
            if name == "TRAILER!!!":
                break
            inodes.append(fields[0])
            names.append(name)
            at += (110 + fields[11] + 3) // 4 * 4
            at += (fields[6] + 3) // 4 * 4
        self.assertEqual(inodes, list(range(1, len(names) + 1)))
        self.assertEqual(names, sorted(names))


class Usage(Case):
    def test_help_and_version(self):
        text = self.run_raw("--help")
        self.assertEqual(text.returncode, 0)
        self.assertIn("--kernel-modules DIR", text.stdout)
        version = self.run_raw("--version")
        self.assertEqual(version.stdout, f"rootspan-mkinitrd {VERSION}\n")

    def test_man_page_has_every_option_of_help_and_no_other(self):
        options = set(re.findall(r"(?<!\S)--([a-z-]+)", self.run_raw("--help").stdout))
        manual = pathlib.Path(os.environ["ROOTSPAN_MANUAL"]).read_text()
        items = " ".join(line for line in manual.splitlines() if line.startswith(".It Fl"))
        self.assertEqual(options, set(re.findall(r"(?:Fl|,) -([a-z-]+)", items)))

    def test_usage_errors(self):
        self.assertEqual(self.run_raw().returncode, 2)
        self.fails("is not SRC:DST[:MODE]", "--file", "x", status=2)
        self.fails("is not an absolute path", "--file", "x:etc/x", status=2)
        self.fails("is not an absolute path", "--file", "x:/etc/../../x", status=2)
        self.fails("is not an octal mode", "--file", "x:/x:9", status=2)
        self.fails("is not a host name", "--hostname", "a b", status=2)
        self.fails("invalid choice", "--compress", "lzma", status=2)

    def test_errors(self):
        self.fails("none: No such file", "--file", "none:/etc/none")
        self.fails("/sbin/rootspan-init would be there twice", "--file",
                   f"{self.write('other', b'x')}:/sbin/rootspan-init")
        self.fails("is a directory", "--file", f"{self.write('other', b'x')}:/etc")
        result, _ = self.make(environment={"SOURCE_DATE_EPOCH": "yesterday"})
        self.assertEqual(result.returncode, 1)
        self.assertIn("SOURCE_DATE_EPOCH", result.stderr)

    def test_failure_keeps_the_old_output(self):
        old = self.write("initrd.cpio", b"old")
        result, _ = self.make("--file", f"{self.top}/none:/x")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(old.read_bytes(), b"old")


if __name__ == "__main__":
    unittest.main()
