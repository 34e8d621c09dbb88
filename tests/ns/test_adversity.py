"""What goes wrong around PID 1, and that it neither hangs nor tells a lie at its end."""

import os
import pathlib
import signal
import socket
import sys
import time
import unittest

from nsguest import Guest, program
from spans import by_name

AGENT = "/bin/agent"
END = "rootspan.on_agent_exit=end"
TRACED = "rootspan.trace=static"
FOREVER = " rootspan.flush_timeout=1h rootspan.end_timeout=1h"


def put_before_init(guest, commands):
    """Has a shell execute rootspan-init after some commands."""
    guest.wrap_init(f'{commands}\nexec /sbin/init "$@"\n')


def wait_for(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not in time")
        time.sleep(0.01)


def children(pid):
    return [int(word) for word in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


class BadTracer(unittest.TestCase):
    """tests/ns/bad-tracer.c in the place of the tracer."""

    def run_with(self, mode, cmdline, agent=(AGENT, "exit", "7")):
        with Guest() as guest:
            self.prepare(guest, mode)
            result = guest.run(list(agent), f"{TRACED} {cmdline}")
            self.assertEqual(result.end_lines, 1, result.console)
            self.assertEqual((guest.root / "host/tracer-descriptors").read_text(), "0 1 2 3 4 5 ")
            return result

    def prepare(self, guest, mode):
        guest.install(program("BAD_TRACER"), "sbin/rootspan-tracer")
        (guest.root / "etc/rootspan/bad-tracer").write_text(mode)

    def test_stopped_while_awaited(self):
        result = self.run_with("stop", "rootspan.trace_connect_timeout=200ms")
        self.assertEqual(result.end["reason"], "trace-unreachable", result.console)

    def test_stop_request_while_awaited(self):
        with Guest() as guest:
            self.prepare(guest, "stop")
            guest.start([AGENT, "exit", "7"], TRACED + " rootspan.trace_connect_timeout=1h "
                        "rootspan.flush_timeout=200ms")
            wait_for((guest.root / "host/tracer-descriptors").exists)
            os.kill(children(guest.process.pid)[0], signal.SIGTERM)
            result = guest.wait()
            self.assertEqual(result.end.get("reason"), "stop-request", result.console)
            self.assertEqual((result.end["code"], result.end["flush"]), ("125", "unreachable"))

    def test_no_answer_to_the_flush(self):
        for mode in "mute", "stop-last", "early":
            result = self.run_with(mode, "rootspan.flush_timeout=200ms")
            self.assertEqual(result.end["flush"], "unreachable", result.console)
            self.assertEqual(result.end["code"], "7")
            self.assertNotIn("killing them", result.console)

    def test_stop_request_over_the_last_spans(self):
        """The host that asks is the one that would have been waited for."""
        with Guest() as guest:
            self.prepare(guest, "mute")
            agent = guest.script("script", """
                (trap '' HUP
                while kill -0 $$; do :; done 2>/dev/null
                kill -TERM 1) &
                """)
            result = guest.run([agent], TRACED + " rootspan.on_agent_exit=wait")
            self.assertEqual(result.end.get("reason"), "agent-exit", result.console)

    def test_garbage_is_passed_over(self):
        result = self.run_with("garbage", FOREVER)
        self.assertEqual(result.end["flush"], "delivered", result.console)
        self.assertEqual(result.end["code"], "7")

    def test_flood(self):
        result = self.run_with("flood", "rootspan.flush_timeout=200ms", [AGENT, "orphans", "500"])
        self.assertEqual(result.end["flush"], "unreachable", result.console)
        self.assertEqual(result.end["code"], "4")

    def test_answer_of_one_that_died_with_it(self):
        """PID 1 is stopped meanwhile, so that it finds both at once."""
        with Guest() as guest:
            self.prepare(guest, "dies-last")
            guest.start([AGENT, "exit", "7"], TRACED + FOREVER)
            wait_for((guest.root / "host/asked").exists)
            init, = children(guest.process.pid)
            tracer, = children(init)
            os.kill(init, signal.SIGSTOP)
            (guest.root / "host/go").touch()
            wait_for(lambda: state(tracer) == "Z")
            os.kill(init, signal.SIGCONT)
            result = guest.wait()
            self.assertEqual(result.end.get("flush"), "delivered", result.console)
            self.assertNotIn("starting it again", result.console)

    def test_closed_link_is_not_waited_for(self):
        result = self.run_with("close-last", FOREVER)
        self.assertEqual(result.end["flush"], "unreachable", result.console)
        self.assertEqual(result.end["code"], "7")

    def test_closed_link_costs_the_tracer_its_life(self):
        with Guest() as guest:
            self.prepare(guest, "close")
            agent = guest.script("script", "while ! [ -e /host/go ]; do sleep 0.01; done\n")
            guest.start([agent], TRACED)
            guest.wait_for_console("going on without it")
            (guest.root / "host/go").touch()
            self.assertEqual(guest.wait().end.get("reason"), "agent-exit")


class Inheritance(unittest.TestCase):
    """What PID 1 was started with, and what the agent gets."""

    EXPECTED = "descriptors: 0 1 2\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"

    def check(self, prologue, cmdline):
        with Guest() as guest:
            if prologue:
                put_before_init(guest, prologue)
            result = guest.run([AGENT, "inherited", "/host/inherited"], f"{END} {cmdline}")
            self.assertEqual((guest.root / "host/inherited").read_text(), self.EXPECTED,
                             result.console)

    def test_plain(self):
        self.check("", "")
        self.check("", "rootspan.agent_pid1=yes")

    def test_traced(self):
        with Guest() as guest:
            cmdline = guest.start_forwarder()
            guest.run([AGENT, "inherited", "/host/inherited"], cmdline)
            self.assertEqual((guest.root / "host/inherited").read_text(), self.EXPECTED)

    def test_environment(self):
        with Guest() as guest:
            agent = guest.script("script", "echo $V0 $V199\n")
            variables = {f"V{i}": str(i) for i in range(200)}
            result = guest.run([agent], END, environment=variables)
            self.assertIn("0 199\n", result.console)

    def test_ignored_signals(self):
        self.check('exec /bin/agent deaf /sbin/init "$@"', "")

    def test_closed_descriptors(self):
        self.check("exec 0<&- 1<&- 2<&-", "")
        self.check("exec 0<&-", "")
        self.check("exec 0<&- 1<&- 2<&-", "rootspan.agent_pid1=yes")

    def test_tracer_of_an_init_without_descriptors(self):
        with Guest() as guest:
            put_before_init(guest, "exec 0<&- 1<&- 2<&-")
            guest.run([AGENT, "exit", "0"], guest.start_forwarder())
            guest.stop_forwarder()
            self.assertEqual(by_name(guest.spans(), "agent")["name"], "agent")

    def test_agent_is_found_in_the_default_path(self):
        with Guest() as guest:
            (guest.root / "usr/local/sbin").mkdir(parents=True)
            (guest.root / "usr/local/sbin/only-here").symlink_to("/bin/agent")
            result = guest.run(["only-here", "exit", "3"], END)
            self.assertEqual(result.end.get("code"), "3", result.console)


class Load(unittest.TestCase):
    def test_thousands_of_orphans_at_once(self):
        with Guest() as guest:
            result = guest.run([AGENT, "orphans", "5000"], END)
            self.assertEqual(result.end.get("code"), "4", result.console)

    def test_signals_each_millisecond(self):
        with Guest() as guest:
            result = guest.run([AGENT, "signals", "500"], guest.start_forwarder())
            self.assertEqual(result.end.get("code"), "5", result.console)
            self.assertEqual(result.end["flush"], "delivered")

    def test_fork_storm_at_the_end(self):
        with Guest() as guest:
            result = guest.run([AGENT, "storm", "6"], END + " rootspan.end_timeout=600ms")
            self.assertEqual(result.end.get("code"), "6", result.console)
            self.assertNotIn("still there", result.console)

    def test_full_run(self):
        with Guest() as guest:
            agent = guest.script("script", """
                mount -t tmpfs -o remount,size=64k tmpfs /run
                cat /dev/zero >/run/full
                exit 6
                """)
            result = guest.run([agent], guest.start_forwarder())
            self.assertIn("No space left", result.console)
            self.assertEqual(result.end["code"], "6", result.console)
            self.assertEqual(result.end["flush"], "delivered")

    def test_missing_dev(self):
        for descriptors in "", "; exec 0<&- 1<&- 2<&-":
            with Guest() as guest:
                put_before_init(guest, "busybox umount -l /dev" + descriptors)
                agent = guest.script("script", "echo >/host/ran")
                result = guest.run([agent], guest.start_forwarder())
                self.assertIn(result.how, ["poweroff", "reboot"])
                self.assertTrue((guest.root / "host/ran").exists())
                guest.stop_forwarder()
                self.assertEqual(by_name(guest.spans(), "agent")["name"], "agent")

    def test_more_boot_steps_than_are_remembered(self):
        with Guest() as guest:
            (guest.root / "etc/rootspan/modules").write_text(
                "".join(f"/lib/none-{i}.ko\n" for i in range(200)))
            result = guest.run([AGENT, "exit", "0"], guest.start_forwarder())
            guest.stop_forwarder()
            ids = [span["spanId"] for span in guest.spans()]
            self.assertGreater(len(ids), 50, result.console)
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(result.end["flush"], "delivered")


class Ending(unittest.TestCase):
    def test_agent_that_cannot_be_killed_is_no_success(self):
        with Guest() as guest:
            result = guest.run([AGENT, "clutched"], "rootspan.stop_timeout=100ms")
            self.assertEqual(result.end.get("reason"), "stop-timeout", result.console)
            self.assertEqual(result.end["code"], str(128 + signal.SIGKILL))

    def test_time_for_the_end_counts_from_the_kill(self):
        with Guest() as guest:
            guest.install(program("BAD_TRACER"), "sbin/rootspan-tracer")
            (guest.root / "etc/rootspan/bad-tracer").write_text("mute")
            result = guest.run([AGENT, "clutched"], TRACED + " rootspan.stop_timeout=100ms "
                               "rootspan.flush_timeout=1s rootspan.end_timeout=1s")
            self.assertEqual(result.end.get("reason"), "stop-timeout", result.console)
            self.assertLess(int(result.end["flush_ms"]), 900)

    def test_host_that_stops_the_vm_late(self):
        """The time for the end counts from the request, not from the agent's exit long ago."""
        with Guest() as guest:
            agent = guest.script("script", """
                (trap 'echo terminated; exit' TERM
                sleep 2.5; kill -TERM 1
                while :; do sleep 0.01; done) &
                """)
            result = guest.run([agent], "rootspan.end_timeout=2s")
            self.assertIn("it is for the host to end the VM", result.console)
            self.assertIn("\nterminated\n", result.console)
            self.assertNotIn("killing them", result.console)

    def test_unanswered_ready_does_not_hold_up_the_end(self):
        with Guest() as guest:
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            listener.bind(str(guest.root / "host/notify"))
            listener.listen()
            result = guest.run([AGENT, "exit", "42"],
                               END + " rootspan.notify_socket=unix:/host/notify")
            self.assertEqual(result.end.get("code"), "42", result.console)
            self.assertNotIn("killing them", result.console)

    def test_console_that_nobody_reads(self):
        """PID 1 must not wait for it, not even to tell of its own fault."""
        for agent in [AGENT, "exit", "0"], ["/bin/sh", "-c", "kill -SEGV 1; sleep 100"]:
            with Guest() as guest:
                fifo = guest.root / "host/console"
                os.mkfifo(fifo)
                console = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
                self.addCleanup(os.close, console)
                with self.assertRaises(BlockingIOError):
                    while True:
                        os.write(console, bytes(4096))
                put_before_init(guest, "exec >/host/console 2>&1")
                self.assertIn(guest.run(agent, END).how, ["poweroff", "reboot"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
