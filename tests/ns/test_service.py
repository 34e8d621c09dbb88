"""rootspan-init as a service: a shell plays systemd, which starts it with --service."""

import contextlib
import re
import select
import socket
import sys
import time
import unittest

from nsguest import Guest
from spans import attributes, by_name

AGENT = "/bin/agent"
# What systemd does of it: start, tell the watchdog's time, signal when /host/control says which.
MANAGER = """
export INVOCATION_ID=1 NOTIFY_SOCKET=/host/notify WATCHDOG_USEC=200000
mkfifo /host/control
/sbin/init --service "$@" &
pid=$!
( read signal </host/control; kill -"$signal" "$pid" ) &
wait "$pid"
exit $?
"""


class ServiceTest(unittest.TestCase):
    def setUp(self):
        self.guest = self.enterContext(Guest())
        self.guest.wrap_init(MANAGER)
        self.socket = self.enterContext(contextlib.closing(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
        self.socket.bind(str(self.guest.root / "host/notify"))
        self.messages = []

    def notified(self, text, seconds=20):
        """Waits until a message has the line @text."""
        deadline = time.monotonic() + seconds
        while not self.messages or text not in self.messages[-1]:
            ready = select.select([self.socket], [], [], max(0, deadline - time.monotonic()))[0]
            self.assertTrue(ready, f"no {text} in {self.messages}:\n{self.guest.console()}")
            self.messages.append(self.socket.recv(4096).decode().splitlines())

    def all_messages(self):
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.messages.append(self.socket.recv(4096).decode().splitlines())
        return [line for message in self.messages for line in message]

    def signal(self, name):
        with open(self.guest.root / "host/control", "w") as control:
            control.write(name + "\n")

    def record(self):
        text = (self.guest.root / "run/rootspan/ending").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())


class Service(ServiceTest):
    def test_ready_and_the_agents_status(self):
        result = self.guest.run([AGENT, "exit", "7"])
        self.assertEqual(result.how, "exit 7", result.console)
        self.assertEqual((result.end["reason"], result.end["code"]), ("agent-exit", "7"))
        lines = self.all_messages()
        self.assertEqual(lines.count("READY=1"), 1)
        # systemd would not run ExecStop= for a service that says so.
        self.assertNotIn("STOPPING=1", lines)
        self.assertEqual(self.record(), {"reason": "agent-exit", "code": "7", "end_vm": "no",
                                         "shutdown": self.record()["shutdown"]})

    def test_killed_agent(self):
        result = self.guest.run([AGENT, "signal", "9"])
        self.assertEqual(result.how, "exit 137", result.console)
        self.assertEqual(result.end["reason"], "agent-signal")

    def test_never_ready_without_an_agent(self):
        result = self.guest.run(["/none"])
        self.assertEqual(result.how, "exit 127", result.console)
        self.assertNotIn("READY=1", self.all_messages())
        self.assertEqual(self.record()["reason"], "agent-start-failure")

    def test_stop(self):
        self.guest.start(["/bin/sh", "-c", "sleep 1000"])
        self.notified("READY=1")
        self.signal("TERM")
        result = self.guest.wait()
        self.assertEqual(result.how, "exit 143", result.console)
        self.assertEqual(result.end["reason"], "stop-request")
        self.notified("STOPPING=1")
        usec, = (int(line.split("=")[1]) for line in self.messages[-1]
                 if line.startswith("EXTEND_TIMEOUT_USEC="))
        self.assertTrue(5_000_000 < usec <= 6_000_000, usec) # stop_timeout, and a second

    def test_watchdog_is_fed(self):
        self.guest.start(["/bin/sh", "-c", "sleep 1000"])
        self.notified("READY=1")
        for _ in range(3):
            self.messages.append([])
            self.notified("WATCHDOG=1")
        self.signal("TERM")
        self.guest.wait()

    def test_the_machine_is_left_alone(self):
        """No mounts of ours; what is systemd's stays between it and us."""
        agent = self.guest.script("look", 'cat /proc/mounts; '
                                          'echo "env: $NOTIFY_SOCKET$WATCHDOG_USEC$INVOCATION_ID"')
        result = self.guest.run([agent])
        self.assertEqual(re.findall("(?m)^env: (.*)$", result.console), ["1"])
        self.assertNotRegex(result.console, r"(?m)^\S+ /(run|tmp|dev/pts) ")

    def test_orphans_come_to_the_service(self):
        agent = self.guest.script("orphan", """
            mkfifo /run/go /run/answer
            sh -c '(read _ </run/go; exec grep PPid /proc/self/status >/run/answer) &'
            echo >/run/go
            cat /run/answer
            echo "init: $PPID"
        """)
        result = self.guest.run([agent])
        found = re.findall(r"(?m)^(?:PPid:|init:)\s*(\d+)$", result.console)
        self.assertEqual(len(found), 2, result.console)
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], "1")


class Traced(ServiceTest):
    """With a program in the place of rootspan-systemd."""

    def run_traced(self, teller, cmdline=""):
        if teller:
            script = self.guest.script("teller", teller)
            (self.guest.root / "sbin/rootspan-systemd").symlink_to(script)
        return self.guest.run([AGENT, "exit", "3"], f"{self.guest.start_forwarder()} {cmdline}")

    def test_root_span_has_the_status(self):
        result = self.run_traced(None)
        self.assertEqual((result.how, result.end["flush"]), ("exit 3", "delivered"), result.console)
        self.assertIn("Cannot start /sbin/rootspan-systemd", result.console)
        self.assertEqual(attributes(by_name(self.guest.spans(), "guest"))["process.exit.code"], 3)
        self.assertEqual(self.record()["end_vm"], "yes")

    def test_flush_waits_for_systemds_boot(self):
        result = self.run_traced("""echo "$@"
            until grep -q "^ShdPnd:.*4...$" /proc/$$/status; do sleep 0.05; done # SIGTERM waits
            echo told
        """)
        self.assertEqual(result.end["flush"], "delivered", result.console)
        root = by_name(self.guest.spans(), "guest")
        self.assertRegex(result.console, rf"(?m)^boot-spans --link-fd=3 --parent="
                                         rf"00-{root['traceId']}-{root['spanId']}-01 --epoch=\d+ --grace=1$")
        self.assertRegex(result.console, r"(?m)^told\n(.*\n)*rootspan: end ")

    def test_flush_does_not_wait_for_ever(self):
        result = self.run_traced("exec sleep 1000", "rootspan.flush_timeout=300ms")
        self.assertEqual((result.how, result.end["flush"]), ("exit 3", "unreachable"),
                         result.console)


if __name__ == "__main__":
    sys.exit(unittest.main())
