"""One contract: each ending is the same to its host, whether rootspan-init is PID 1 or a service."""

import contextlib
import socket
import sys
import unittest

from nsguest import Guest
from spans import attributes, by_name

AGENT = "/bin/agent"
STATUS_ERROR = 2
UNSET = None
# A shell in the place of systemd.
SERVICE = """
export INVOCATION_ID=1 NOTIFY_SOCKET=/host/notify
/sbin/init --service "$@" &
wait $!
"""
SH = ["/bin/sh", "-c"]
RUN_ON = "while :; do sleep 0.01; done"
STOP = "kill -TERM $PPID"

# What a host can see of an ending: the last line, then the root span's status and message.
ENDINGS = {
    "success": ([AGENT, "exit", "0"], "",
                "agent-exit code=0 signal=0 flush=delivered", UNSET, ""),
    "failure": ([AGENT, "exit", "255"], "",
                "agent-exit code=255 signal=0 flush=delivered", STATUS_ERROR, "exit code 255"),
    "signal": ([AGENT, "signal", "11"], "",
               "agent-signal code=139 signal=11 flush=delivered",
               STATUS_ERROR, "killed by signal 11 (SIGSEGV)"),
    "killed": ([AGENT, "signal", "9"], "",
               "agent-signal code=137 signal=9 flush=delivered",
               STATUS_ERROR, "killed by signal 9 (SIGKILL)"),
    "no such agent": (["/none"], "",
                      "agent-start-failure code=127 signal=0 flush=delivered", STATUS_ERROR,
                      "the agent could not be executed: No such file or directory"),
    "stopped": ([*SH, f"trap 'exit 3' TERM; {STOP}; {RUN_ON}"], "",
                "stop-request code=3 signal=0 flush=delivered", STATUS_ERROR, "exit code 3"),
    "stopped, deaf": ([*SH, f"trap '' TERM; {STOP}; {RUN_ON}"], "rootspan.stop_timeout=100ms",
                      "stop-timeout code=137 signal=9 flush=delivered",
                      STATUS_ERROR, "killed by signal 9 (SIGKILL)"),
    "stopped, hung": ([*SH, f"({STOP}) & kill -STOP $$; {RUN_ON}"], "",
                      "stop-request code=143 signal=15 flush=delivered",
                      STATUS_ERROR, "killed by signal 15 (SIGTERM)"),
    "stopped twice": ([*SH, f"trap '{STOP}' TERM; {STOP}; {RUN_ON}"], "",
                      "stop-timeout code=137 signal=9 flush=delivered",
                      STATUS_ERROR, "killed by signal 9 (SIGKILL)"),
    "no forwarder": ([AGENT, "exit", "0"], "rootspan.trace_endpoint=unix:/host/none "
                     "rootspan.trace_connect_timeout=100ms",
                     "trace-unreachable code=125 signal=0 flush=unreachable", None, None),
    "no forwarder, not required": ([AGENT, "exit", "4"], "rootspan.trace_endpoint=unix:/host/none "
                                   "rootspan.trace_require=no rootspan.flush_timeout=100ms",
                                   "agent-exit code=4 signal=0 flush=unreachable", None, None),
    "not traced": ([AGENT, "exit", "5"], "rootspan.trace=no",
                   "agent-exit code=5 signal=0 flush=none", None, None),
    "bad option": ([AGENT, "exit", "0"], "rootspan.end_timeout=soon",
                   "config-error code=125 signal=0 flush=none", None, None),
}


class Contract(unittest.TestCase):
    def check(self, service):
        for name, (agent, settings, line, status, message) in ENDINGS.items():
            with self.subTest(name), Guest() as guest:
                if service:
                    guest.wrap_init(SERVICE)
                result = self.run_guest(guest, agent, settings)
                reason, *fields = line.split()
                expected = {"reason": reason, **dict(word.split("=") for word in fields)}
                self.assertEqual({key: result.end.get(key) for key in expected}, expected,
                                 result.console)
                self.assertEqual(result.end_lines, 1, result.console)
                self.assertEqual(result.how.startswith("exit "), service, result.how)
                if service:
                    self.assertEqual(result.how, f"exit {expected['code']}")
                if message is None:
                    self.assertEqual(guest.trace_file.read_text(), "")
                else:
                    self.check_trace(guest, expected, status, message)

    def run_guest(self, guest, agent, settings):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify:
            notify.bind(str(guest.root / "host/notify"))
            result = guest.run(agent, f"{guest.start_forwarder()} {settings}")
        guest.stop_forwarder()
        return result

    def check_trace(self, guest, expected, status, message):
        for span in by_name(guest.spans(), "guest"), by_name(guest.spans(), "agent"):
            self.assertEqual(attributes(span)["process.exit.code"], int(expected["code"]))
            self.assertEqual(span.get("status", {}).get("code"), status)
            self.assertEqual(span.get("status", {}).get("message", ""), message)
        root = guest.spans()[-1]
        self.assertEqual((root["name"], attributes(root)["rootspan.reason"]),
                         ("guest", expected["reason"]))

    def test_pid_1(self):
        self.check(service=False)

    def test_service(self):
        self.check(service=True)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
