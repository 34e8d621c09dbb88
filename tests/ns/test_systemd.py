"""rootspan-systemd without a systemd, or with one that does not answer."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import unittest

from nsguest import Guest, program

MAN_PAGE = pathlib.Path(__file__).parents[2] / "docs/man/rootspan-systemd.8"


def record(end_vm="yes", shutdown="poweroff"):
    return f"reason=agent-exit\ncode=0\nend_vm={end_vm}\nshutdown={shutdown}\n"


class ExecStop(unittest.TestCase):
    def setUp(self):
        self.guest = self.enterContext(Guest())
        self.guest.install(program("SYSTEMD"), "sbin/rootspan-systemd")
        (self.guest.root / "run/rootspan").mkdir()

    def run_as_child(self, before=""):
        """PID 1 is a shell, which ignores all signals."""
        self.guest.wrap_init(f"{before}\n/sbin/rootspan-systemd exec-stop\nexit $?\n")
        return self.guest.run(None)

    def leave(self, text):
        (self.guest.root / "run/rootspan/ending").write_text(text)

    def test_nothing_said_nothing_done(self):
        result = self.run_as_child()
        self.assertEqual(result.how, "exit 0", result.console)
        self.assertIn("not ending the VM", result.console)

    def test_damaged_record(self):
        self.leave(record(end_vm="perhaps"))
        self.assertEqual(self.run_as_child().how, "exit 0")

    def test_left_to_the_host(self):
        self.leave(record(end_vm="no"))
        result = self.run_as_child()
        self.assertEqual(result.how, "exit 0", result.console)
        self.assertIn("for the host to end", result.console)

    def test_no_systemd(self):
        self.leave(record())
        self.assertEqual(self.run_as_child().how, "poweroff")

    def test_systemd_that_does_not_answer(self):
        self.leave(record(shutdown="reboot"))
        (self.guest.root / "run/systemd").mkdir()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(self.guest.root / "run/systemd/private"))
            listener.listen()
            result = self.run_as_child()
        self.assertEqual(result.how, "reboot", result.console)
        self.assertIn("systemd does not answer", result.console)

    def test_main_process_ends_first(self):
        """What it left counts, and not what was there when the stop began."""
        self.leave(record(shutdown="reboot"))
        (self.guest.root / "run/left").write_text(record())
        main = self.guest.script("main", """
            trap 'echo asked; cat /run/left >/run/rootspan/ending; exit' TERM
            echo >/run/ready
            while :; do sleep 0.05; done
        """)
        result = self.run_as_child(f"mkfifo /run/ready; {main} & export MAINPID=$!; read _ </run/ready")
        self.assertEqual(result.how, "poweroff", result.console)
        self.assertIn("asked", result.console)


class Usage(unittest.TestCase):
    def run_program(self, *arguments):
        return subprocess.run([program("SYSTEMD"), *arguments], capture_output=True, text=True,
                              timeout=20, check=False, env={**os.environ, "MAINPID": "x"})

    def test_usage(self):
        for arguments in [], ["none"], ["boot-spans"], ["boot-spans", "--link-fd=x"], \
                ["exec-stop", "now"], ["exec-stop"]: # whose MAINPID is no number
            result = self.run_program(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn("Usage: rootspan-systemd", result.stderr)

    def test_help_and_man_page(self):
        text = self.run_program("--help").stdout
        listed = set(re.findall(r"^  --([a-z-]+)", text, re.MULTILINE))
        described = set(re.findall(r"^\.It Fl -([a-z-]+)", MAN_PAGE.read_text(), re.MULTILINE))
        self.assertEqual(listed, described)
        self.assertRegex(self.run_program("--version").stdout,
                         r"^rootspan-systemd \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    sys.exit(unittest.main())
