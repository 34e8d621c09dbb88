"""The demo, as a person runs it."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

from qemu import wait_exit
from spans import check_trace, read_file

BUILD = os.environ["ROOTSPAN_BUILD"]
DEMO = [sys.executable, os.environ["ROOTSPAN_DEMO"], "--build", BUILD,
        "--init", os.environ["ROOTSPAN_INIT"]]
SECONDS = 120


class Demo(unittest.TestCase):
    def setUp(self):
        self.out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / self.id().split(".", 1)[1]
        shutil.rmtree(self.out, ignore_errors=True)

    def demo(self, *words, agent=None, options=()):
        environment = {**os.environ, "AGENT": agent or ""}
        return subprocess.run([*DEMO, "--out", self.out, *options, *words], env=environment,
                              capture_output=True, text=True, timeout=SECONDS, check=False)

    def test_shows_the_trace(self):
        self.out.mkdir(parents=True)
        (self.out / "trace.jsonl").write_text("of another run\n")
        result = self.demo()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        check_trace(read_file(self.out / "trace.jsonl"))
        for text in "guest", "kernel", "agent", str(self.out / "trace.jsonl"), \
                str(self.out / "console.log"), "hello from a guest":
            self.assertIn(text, result.stdout)

    def test_status_is_that_of_a_quoted_agent(self):
        result = self.demo(agent="""/bin/sh -c "echo 'a  b'; exit 7" """)
        self.assertEqual(result.returncode, 7, result.stdout + result.stderr)
        self.assertIn("a  b", result.stdout)

    def test_status_of_a_killed_agent(self):
        result = self.demo("--", "/bin/sh", "-c", "kill -TERM $$")
        self.assertEqual(result.returncode, 128 + signal.SIGTERM, result.stdout + result.stderr)

    def test_vm_that_vanishes_is_a_failure_that_shows_the_console(self):
        result = self.demo("--", "/bin/sh", "-c", "echo my last words; echo b >/proc/sysrq-trigger")
        self.assertEqual(result.returncode, 125, result.stdout + result.stderr)
        self.assertIn("demo: the VM ended without", result.stderr)
        self.assertIn("  my last words\n", result.stderr)
        self.assertIn("kernel", (self.out / "tree.txt").read_text())

    def test_interrupt_ends_everything(self):
        agent = ["/bin/sh", "-c", "echo running; exec sleep 1000"]
        # A job in the background of a shell, which this test may be, has SIGINT ignored.
        with subprocess.Popen([*DEMO, "--out", self.out, "--", *agent], stdout=subprocess.PIPE,
                              text=True, preexec_fn=lambda: signal.signal(
                                  signal.SIGINT, signal.SIG_DFL)) as process:
            self.assertTrue(any(line.endswith("  running\n") for line in process.stdout))
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
            pids = [int(pid) for pid in children.read_text().split()]
            self.assertEqual(len(pids), 3)  # forwarder, vsockd, QEMU
            process.send_signal(signal.SIGINT)
            self.assertEqual(wait_exit(process, 30), 130)
        for pid in pids:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists(), f"{pid} was left behind")


if __name__ == "__main__":
    unittest.main()
