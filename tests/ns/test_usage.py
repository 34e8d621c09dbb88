"""rootspan-init started by hand: it must say what it is and touch nothing."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

MAN_PAGE = pathlib.Path(__file__).parents[2] / "docs/man/rootspan-init.8"
INIT = os.environ["ROOTSPAN_INIT"]


def run(*arguments, **environment):
    return subprocess.run([INIT, *arguments], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **environment})


def mounts():
    return pathlib.Path("/proc/self/mounts").read_text()


class Usage(unittest.TestCase):
    def test_not_pid_1_means_usage(self):
        before = mounts()
        for arguments in [], ["--", "/bin/true"], ["--nonsense"], ["--help", "more"], \
                ["--service", "--", "/bin/true"]:
            result = run(*arguments, INVOCATION_ID="1", NOTIFY_SOCKET="@none")
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stdout, "")
            self.assertIn("Usage: rootspan-init", result.stderr)
        self.assertEqual(mounts(), before)

    def test_help_and_version(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("rootspan.trace_endpoint=VALUE", result.stdout)
        self.assertRegex(run("--version").stdout, r"^rootspan-init \d+\.\d+\.\d+\n$")

    def test_dump_config(self):
        result = run("--dump-config")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("\ntrace_endpoint = vsock://2:10240\n", result.stdout)
        self.assertIn("\nflush_timeout = 2s\n", result.stdout)

    def test_man_page_has_every_option(self):
        listed = set(re.findall(r"^  (\S+)=VALUE$", run("--help").stdout, re.MULTILINE))
        options = MAN_PAGE.read_text().partition(".Sh OPTIONS")[2].partition(".Sh")[0]
        described = set(re.findall(r"^\.It Cm ((?:rootspan|agent|systemd)\.\w+)", options,
                                   re.MULTILINE))
        self.assertGreater(len(listed), 10)
        self.assertEqual(listed, described)


if __name__ == "__main__":
    sys.exit(unittest.main())
