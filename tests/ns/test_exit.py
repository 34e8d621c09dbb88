"""How an agent ends, and that every way of it is told apart."""

import signal
import socket
import sys
import unittest

from nsguest import Guest

AGENT = "/bin/agent"
END = "rootspan.on_agent_exit=end"
IGNORED_BY_DEFAULT = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
TERMINATING = sorted(set(range(1, 65)) - IGNORED_BY_DEFAULT - STOPPING)


class Exit(unittest.TestCase):
    def test_every_exit_code(self):
        with Guest() as guest:
            for code in range(256):
                result = guest.run([AGENT, "exit", str(code)], END)
                self.assertEqual(result.end.get("code"), str(code), result.console)
                self.assertEqual(result.end["reason"], "agent-exit")
                self.assertEqual(result.end["signal"], "0")
                self.assertEqual(result.end_lines, 1)
                self.assertTrue(result.last_line.startswith("rootspan: end "), result.console)

    def test_every_terminating_signal(self):
        with Guest() as guest:
            for number in TERMINATING:
                result = guest.run([AGENT, "signal", str(number)], END)
                self.assertEqual(result.end.get("signal"), str(number), result.console)
                self.assertEqual(result.end["code"], str(128 + number))
                self.assertEqual(result.end["reason"], "agent-signal")

    def test_agent_that_cannot_be_executed(self):
        with Guest() as guest:
            (guest.root / "etc/data").write_text("no program")
            for path, code, text in [("/none", "127", "No such file or directory"),
                                     ("/etc/data", "126", "Permission denied"),
                                     ("/etc", "126", "Permission denied")]:
                result = guest.run([path], END)
                self.assertEqual(result.end.get("reason"), "agent-start-failure", result.console)
                self.assertEqual(result.end["code"], code)
                self.assertIn(f"Cannot execute the agent {path}: {text}", result.console)

    def test_ways_to_end_the_vm(self):
        with Guest() as guest:
            for mode, how in [("poweroff", "poweroff"), ("reboot", "reboot"), ("halt", "poweroff")]:
                result = guest.run(["/bin/true"], f"{END} rootspan.shutdown={mode}")
                self.assertEqual(result.how, how, result.console)

    def test_agent_from_the_command_line_and_the_file(self):
        with Guest() as guest:
            result = guest.run(None, f'{END} -- /bin/sh -c "exit 7"')
            self.assertEqual(result.end.get("code"), "7", result.console)
            (guest.root / "etc/rootspan/init.conf").write_text(
                "# the agent\nagent = /bin/sh -c 'exit \"8\"'\non_agent_exit = end\n")
            self.assertEqual(guest.run(None).end.get("code"), "8")
            result = guest.run(None, 'rootspan.agent="/bin/sh -c \'exit 9\'"')
            self.assertEqual(result.end.get("code"), "9", result.console)


class AgentAsPid1(unittest.TestCase):
    CMDLINE = END + " rootspan.agent_pid1=yes"

    def test_its_reboot_is_a_clean_end(self):
        with Guest() as guest:
            for how in "poweroff", "restart":
                result = guest.run([AGENT, "reboot", how], self.CMDLINE)
                self.assertIn("agent is PID 1", result.console)
                self.assertEqual(result.end.get("reason"), "agent-exit", result.console)
                self.assertEqual((result.end["code"], result.end["signal"]), ("0", "0"))

    def test_exit_codes_and_signals_are_told_apart(self):
        with Guest() as guest:
            result = guest.run([AGENT, "exit", "9"], self.CMDLINE)
            self.assertEqual(result.end.get("code"), "9", result.console)
            result = guest.run(["/none"], self.CMDLINE)
            self.assertEqual(result.end.get("reason"), "agent-start-failure", result.console)

    def test_it_has_its_own_proc_and_mounts(self):
        with Guest() as guest:
            script = guest.script("script", """
                mount -t tmpfs tmpfs /root
                echo "pid $$, processes:" $(ls /proc | grep '^[0-9]')
                sleep 1000 &
                """)
            result = guest.run([script], self.CMDLINE)
            self.assertRegex(result.console, r"pid 1, processes: 1( \d+)+\n")
            self.assertEqual(result.end.get("reason"), "agent-exit", result.console)
            self.assertNotIn("killing them", result.console)


class Fault(unittest.TestCase):
    def test_a_fault_of_pid_1_is_told_and_ends_the_vm(self):
        with Guest() as guest:
            for number in signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS:
                result = guest.run(["/bin/sh", "-c", f"kill -{int(number)} 1; sleep 100"], END)
                self.assertIn(f"PID 1 is at fault: signal {int(number):02}", result.console)
                self.assertEqual(result.end.get("reason"), "init-fault")
                self.assertIn(result.how, ["poweroff", "reboot"])


class Stop(unittest.TestCase):
    def test_stop_request_reaches_the_agent(self):
        for name in "TERM", "INT", "PWR":
            with Guest() as guest:
                agent = guest.script("script", f"trap 'exit 3' TERM\nkill -{name} 1\n"
                                              "while :; do sleep 1; done\n")
                result = guest.run([agent])
                self.assertEqual(result.end.get("reason"), "stop-request", result.console)
                self.assertEqual(result.end["code"], "3")

    def test_host_that_asked_is_not_waited_for(self):
        with Guest() as guest:
            agent = guest.script("script", "trap exit TERM\nkill -TERM 1\nwhile :; do sleep 1; done\n")
            result = guest.run([agent], "rootspan.on_agent_exit=wait")
            self.assertEqual(result.end.get("reason"), "stop-request", result.console)

    def test_agent_that_ignores_the_stop_is_killed(self):
        with Guest() as guest:
            agent = guest.script("script", "trap '' TERM\nkill -TERM 1\nwhile :; do sleep 1; done\n")
            result = guest.run([agent], "rootspan.stop_timeout=200ms")
            self.assertEqual(result.end.get("reason"), "stop-timeout", result.console)
            self.assertEqual(result.end["signal"], str(int(signal.SIGKILL)))

    def test_second_request_hurries(self):
        with Guest() as guest:
            agent = guest.script("script", "trap 'kill -TERM 1' TERM\nkill -TERM 1\n"
                                          "while :; do sleep 1; done\n")
            result = guest.run([agent], "rootspan.stop_timeout=1h")
            self.assertEqual(result.end.get("reason"), "stop-timeout", result.console)

    def test_stopped_agent_is_stopped(self):
        with Guest() as guest:
            agent = guest.script("script", "(kill -TERM 1)&\nkill -STOP $$\n")
            result = guest.run([agent])
            self.assertEqual(result.end.get("reason"), "stop-request", result.console)

    def test_host_ends_an_untraced_vm_whose_agent_did_well(self):
        with Guest() as guest:
            guest.start(["/bin/true"])
            guest.wait_for_console("it is for the host to end the VM")
            self.assertIsNone(guest.process.poll())
            guest.process.kill()
            guest.wait()


class Vmm(unittest.TestCase):
    """The notification socket of systemd's protocol, here a Unix socket."""

    CMDLINE = END + " rootspan.notify_socket=unix:/host/notify"

    def listen(self, guest):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(guest.root / "host/notify"))
        listener.listen()
        listener.settimeout(20)
        self.addCleanup(listener.close)
        return listener

    def read_message(self, listener):
        connection, _ = listener.accept()
        with connection, connection.makefile() as lines:
            return lines.read()

    def test_ready_and_exit_status(self):
        with Guest() as guest:
            listener = self.listen(guest)
            script = guest.script("script", "while ! [ -e /host/go ]; do :; done; exit 42\n")
            guest.start([script], self.CMDLINE)
            self.assertEqual(self.read_message(listener), "READY=1\n")
            (guest.root / "host/go").touch()
            self.assertEqual(self.read_message(listener),
                             "EXIT_STATUS=42\nX_ROOTSPAN_REASON=agent-exit\n")
            self.assertEqual(guest.wait().end.get("code"), "42")

    def test_vmm_that_does_not_answer(self):
        with Guest() as guest:
            self.listen(guest)
            result = guest.run([AGENT, "exit", "42"], self.CMDLINE + " rootspan.end_timeout=300ms")
            self.assertEqual(result.end.get("code"), "42")
            self.assertIn("Cannot tell the VMM the exit status: ", result.console)

    def test_vmm_that_is_absent(self):
        with Guest() as guest:
            result = guest.run([AGENT, "exit", "42"], self.CMDLINE)
            self.assertEqual(result.end.get("code"), "42")
            self.assertIn("Cannot tell the VMM the exit status: No such file", result.console)


class Processes(unittest.TestCase):
    def test_orphans_are_reaped(self):
        with Guest() as guest:
            agent = guest.script("script", """
                i=0
                while [ $i -lt 200 ]; do (sleep 0 & sleep 0 & ) ; i=$((i + 1)); done
                # Until nothing but PID 1 (a zombie has no command line), this shell and ps is left.
                while ps -o stat= -o comm= | grep -q ^Z; do :; done
                exit 4
                """)
            self.assertEqual(guest.run([agent], END).end.get("code"), "4")

    def test_what_the_agent_leaves_behind_is_terminated(self):
        with Guest() as guest:
            agent = guest.script("script", """
                mkfifo /root/a /root/b
                sh -c 'trap "echo terminated; exit" TERM; echo >/root/a; while :; do sleep 1; done' &
                sh -c 'trap "" TERM; echo >/root/b; while :; do sleep 1; done' &
                cat </root/a; cat </root/b
                """)
            result = guest.run([agent], END + " rootspan.end_timeout=600ms")
            self.assertIn("\nterminated\n", result.console)
            self.assertIn("killing them", result.console)
            self.assertEqual(result.end.get("reason"), "agent-exit", result.console)


class Configuration(unittest.TestCase):
    def test_bad_value_ends_the_vm(self):
        with Guest() as guest:
            result = guest.run(["/bin/echo", "agent ran"], "rootspan.flush_timeout=soon")
            self.assertEqual(result.end.get("reason"), "config-error", result.console)
            self.assertIn("rootspan.flush_timeout=soon is not valid, accepted: a duration such as",
                          result.console)
            self.assertNotIn("agent ran", result.console)

    def test_unknown_key_is_a_warning(self):
        with Guest() as guest:
            result = guest.run(["/bin/true"], f"rootspan.nonsense=1 {END}")
            self.assertIn("unknown option rootspan.nonsense ignored", result.console)
            self.assertEqual(result.end.get("code"), "0")

    def test_hostname(self):
        with Guest() as guest:
            (guest.root / "etc/hostname").write_text("guest-7\n")
            result = guest.run(["/bin/cat", "/proc/sys/kernel/hostname"], END)
            self.assertIn("guest-7\n", result.console)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
