"""rootspan-vsockd on the command line: options, sockets, readiness, exit codes."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["ROOTSPAN_VSOCKD"]
MAN_PAGE = pathlib.Path(os.environ["ROOTSPAN_VSOCKD_MAN"])
SECONDS = 20
GET_FEATURES = bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])


class Program(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="vsockd-")))
        self.uds = self.dir / "vm"
        self.front_end = self.dir / "front-end"
        self.all = [f"--uds-path={self.uds}", "--guest-cid=3", f"--socket-path={self.front_end}"]

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                              timeout=SECONDS, check=False)

    def start(self, *arguments):
        """A running program that has said READY=1."""
        ready = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        ready.settimeout(SECONDS)
        ready.bind(str(self.dir / "notify"))
        process = subprocess.Popen([PROGRAM, *arguments],
                                   env={**os.environ, "NOTIFY_SOCKET": str(self.dir / "notify")})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(ready.recv(4096), b"READY=1")
        (self.dir / "notify").unlink()
        return process

    def dial(self, path):
        peer = self.enterContext(socket.socket(socket.AF_UNIX))
        peer.settimeout(SECONDS)
        peer.connect(str(path))
        return peer

    def test_usage(self):
        for drop, words in ((0, "--uds-path"), (1, "--guest-cid"), (2, "--socket-path")):
            arguments = self.all[:drop] + self.all[drop + 1:]
            result = self.run_program(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{words}=", result.stderr)
            self.assertIn("is missing", result.stderr)

    def test_bad_values(self):
        for argument, accepted in (
                ("--guest-cid=2", "a number from 3 to 4294967294"),
                ("--guest-cid=4294967295", "a number from 3 to 4294967294"),
                ("--guest-cid=x", "a number from 3 to 4294967294"),
                ("--fd=0", "a number from 3 on"),
                ("--uds-path=", "a path of up to 96 bytes"),
                ("--uds-path=/" + "x" * 96, "a path of up to 96 bytes"),
                ("--log-level=loud", "error, warning, info or debug")):
            result = self.run_program(*self.all, argument)
            self.assertEqual(result.returncode, 2, argument)
            self.assertIn(f"{argument}: expected {accepted}", result.stderr)

    def test_what_is_no_option(self):
        self.assertEqual(self.run_program("--nonsense").returncode, 2)
        self.assertEqual(self.run_program(*self.all, "word").returncode, 2)
        result = self.run_program(*self.all, "--fd=3")
        self.assertEqual(result.returncode, 2)
        self.assertIn("exclude each other", result.stderr)

    def test_information(self):
        self.assertRegex(self.run_program("--version").stdout, r"^rootspan-vsockd [0-9.]+\n$")
        self.assertIn('"type": "vsock"', self.run_program("--print-capabilities").stdout)
        result = self.run_program("--help")
        self.assertEqual(result.returncode, 0)
        documented = re.findall(r"^\.It Fl -([a-z-]+)", MAN_PAGE.read_text(), re.MULTILINE)
        self.assertCountEqual(re.findall(r"^  --([a-z-]+)", result.stdout, re.MULTILINE),
                              documented)

    def test_longest_path(self):
        """The longest path that is allowed is one for which every port's name still fits."""
        uds = str(self.uds) + "x" * (96 - len(str(self.uds)))
        self.start(f"--uds-path={uds}", *self.all[1:])
        self.dial(uds)
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind(f"{uds}_4294967295")

    def test_front_end_comes_and_goes(self):
        process = self.start(*self.all)
        front_end = self.dial(self.front_end)
        front_end.sendall(GET_FEATURES)
        self.assertEqual(len(front_end.recv(4096)), 20)
        self.assertFalse(self.front_end.exists())
        front_end.close()
        self.assertEqual(process.wait(SECONDS), 0)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_ended_before_a_front_end_comes(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start(*self.all)
            self.dial(self.uds).sendall(b"CONNECT 1\n")
            process.send_signal(number)
            self.assertEqual(process.wait(SECONDS), 0)
            self.assertEqual(list(self.dir.iterdir()), [])

    def test_sockets_that_are_there(self):
        for path in (self.uds, self.front_end):
            # Left behind by a process that died: replaced.
            with socket.socket(socket.AF_UNIX) as old:
                old.bind(str(path))
            process = self.start(*self.all)
            # In use: an error, and the one who uses it keeps it.
            result = self.run_program(*self.all)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"cannot listen on {self.uds}: Address already in use", result.stderr)
            self.dial(path)
            process.terminate()
            self.assertEqual(process.wait(SECONDS), 0)
            # No socket: an error, and it stays as it is.
            path.write_text("precious")
            result = self.run_program(*self.all)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"cannot listen on {path}", result.stderr)
            self.assertEqual(path.read_text(), "precious")
            path.unlink()
            self.assertEqual(list(self.dir.iterdir()), [])

    def test_inherited_descriptor_that_is_none(self):
        with open("/dev/null", "rb") as null:
            os.set_inheritable(null.fileno(), True)
            result = subprocess.run([PROGRAM, *self.all[:2], f"--fd={null.fileno()}"],
                                    capture_output=True, text=True, timeout=SECONDS, check=False,
                                    pass_fds=[null.fileno()])
        self.assertEqual(result.returncode, 1)
        self.assertIn("is no open socket", result.stderr)
        self.assertEqual(list(self.dir.iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
