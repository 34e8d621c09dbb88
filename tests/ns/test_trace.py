"""The guest's own trace, by the real tracer to the real forwarder over a Unix socket."""

import signal
import sys
import unittest

from nsguest import Guest
from spans import attributes, by_name, check_trace

STATUS_ERROR = 2
SHOW_TRACEPARENT = ["/bin/sh", "-c", "echo TRACEPARENT=$TRACEPARENT"]


class Trace(unittest.TestCase):
    def test_whole_trace_is_acknowledged_before_the_end(self):
        with Guest() as guest:
            result = guest.run(SHOW_TRACEPARENT, guest.start_forwarder())
            guest.stop_forwarder()
            spans = guest.spans()
            root = check_trace(spans)
            agent = by_name(spans, "agent")
            self.assertEqual(agent["parentSpanId"], root["spanId"])
            self.assertEqual(attributes(agent)["process.exit.code"], 0)
            self.assertEqual(attributes(agent)["process.executable.name"], "sh")
            self.assertIn(f"TRACEPARENT=00-{root['traceId']}-{agent['spanId']}-01\n", result.console)
            self.assertEqual(attributes(root)["rootspan.reason"], "agent-exit")
            self.assertEqual(result.end["flush"], "delivered", result.console)
            self.assertEqual(result.end["sent"], str(len(spans)))
            self.assertEqual(result.end["dropped"], "0")
            steps = [s["name"] for s in spans if s.get("parentSpanId") ==
                     by_name(spans, "boot")["spanId"]]
            for name in ("mount /proc", "hostname", "loopback", "listen for spans", "start tracer",
                         "await receiver"):
                self.assertIn(name, steps)

    def test_failed_agent_is_an_error(self):
        with Guest() as guest:
            result = guest.run(["/bin/agent", "exit", "7"], guest.start_forwarder())
            guest.stop_forwarder()
            check_trace(guest.spans())
            agent = by_name(guest.spans(), "agent")
            self.assertEqual(agent["status"], {"code": STATUS_ERROR, "message": "exit code 7"})
            self.assertEqual(attributes(agent)["process.exit.code"], 7)
            self.assertEqual(attributes(agent)["error.type"], "7")
            self.assertEqual(by_name(guest.spans(), "guest")["status"]["code"], STATUS_ERROR)
            self.assertEqual(result.end["code"], "7")

    def test_killed_agent_is_an_error(self):
        with Guest() as guest:
            guest.run(["/bin/agent", "signal", "11"], guest.start_forwarder())
            guest.stop_forwarder()
            agent = by_name(guest.spans(), "agent")
            self.assertIn("killed by signal 11 (SIGSEGV)", agent["status"]["message"])
            self.assertEqual(attributes(agent)["rootspan.agent.signal"], 11)
            self.assertEqual(attributes(agent)["process.exit.code"], 139)

    def test_agent_that_cannot_be_executed(self):
        with Guest() as guest:
            guest.run(["/none"], guest.start_forwarder())
            guest.stop_forwarder()
            check_trace(guest.spans())
            agent = by_name(guest.spans(), "agent")
            self.assertIn("No such file or directory", agent["status"]["message"])
            self.assertEqual(attributes(agent)["process.exit.code"], 127)

    def test_no_tracing_means_no_tracer(self):
        with Guest() as guest:
            (guest.root / "sbin/rootspan-tracer").unlink()
            result = guest.run(SHOW_TRACEPARENT, "rootspan.on_agent_exit=end")
            self.assertIn("TRACEPARENT=\n", result.console)
            self.assertNotIn("tracer", result.console)
            self.assertEqual(result.end["flush"], "none")

    def test_kata_runtime_key(self):
        with Guest() as guest:
            endpoint = guest.start_forwarder().split()[1]
            guest.run(["/bin/true"], f"agent.trace {endpoint}")
            guest.stop_forwarder()
            check_trace(guest.spans())

    def test_traceparent_of_the_environment_is_kept(self):
        text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        with Guest() as guest:
            result = guest.run(SHOW_TRACEPARENT, guest.start_forwarder(),
                               environment={"TRACEPARENT": text})
            self.assertIn(f"TRACEPARENT={text}\n", result.console)


class AgentSpans(unittest.TestCase):
    POST = ["/bin/agent", "post", "500"]

    def check_spans(self, guest, count=500):
        work = [span for span in guest.spans() if span["name"] == "work"]
        self.assertEqual(len({span["spanId"] for span in work}), count)
        self.assertEqual({span["parentSpanId"] for span in work},
                         {by_name(guest.spans(), "agent")["spanId"]})
        self.assertEqual(guest.spans()[-1]["name"], "guest")

    def test_spans_in_flight_when_the_agent_exits(self):
        with Guest() as guest:
            result = guest.run(self.POST, guest.start_forwarder())
            guest.stop_forwarder()
            self.assertEqual(result.end["code"], "0", result.console)
            self.assertEqual(result.end["flush"], "delivered", result.console)
            self.check_spans(guest)
            check_trace(guest.spans())

    def test_agent_that_need_not_wait_for_the_tracer(self):
        with Guest() as guest:
            result = guest.run(self.POST, guest.start_forwarder() + " rootspan.trace_require=no")
            guest.stop_forwarder()
            self.assertEqual(result.end["code"], "0", result.console)
            self.check_spans(guest)

    def test_other_traces_are_left_alone(self):
        with Guest() as guest:
            guest.run(self.POST, guest.start_forwarder() + " rootspan.adopt=no")
            guest.stop_forwarder()
            work = [span for span in guest.spans() if span["name"] == "work"]
            self.assertEqual({span["traceId"] for span in work}, {b"anagent'sowntrac".hex()})

    def test_tracer_that_is_replaced(self):
        with Guest() as guest:
            script = guest.script("script", TracerDies.KILL_TRACER + "exec agent post 100\n")
            result = guest.run([script], guest.start_forwarder())
            guest.stop_forwarder()
            self.assertIn("The tracer ended, starting it again", result.console)
            self.assertEqual(result.end["code"], "0", result.console)
            self.check_spans(guest, 100)

    def test_environment(self):
        with Guest() as guest:
            guest.run(["/bin/sh", "-c", "cat /proc/self/environ >/host/environ"],
                      guest.start_forwarder(), environment={"OTEL_BSP_SCHEDULE_DELAY": "7"})
            text = (guest.root / "host/environ").read_text()
            found = dict(word.split("=", 1) for word in text.split("\0") if word)
            self.assertEqual(found["OTEL_BSP_SCHEDULE_DELAY"], "7")
            self.assertEqual(found["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:4318")
            self.assertEqual(found["OTEL_EXPORTER_OTLP_PROTOCOL"], "http/protobuf")
            self.assertRegex(found["OTEL_EXPORTER_OTLP_HEADERS"],
                             "^Authorization=Bearer%20[0-9a-f]{32}$")
            self.assertRegex(found["OTEL_RESOURCE_ATTRIBUTES"],
                             "^service.name=sh,host.id=[0-9a-f-]{36},host.name=[^,]+$")

    def test_an_endpoint_of_ones_own_gets_no_token(self):
        script = ["/bin/sh", "-c", "echo HEADERS=$OTEL_EXPORTER_OTLP_HEADERS."]
        with Guest() as guest:
            result = guest.run(script, guest.start_forwarder(),
                               environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://10.0.0.1:4318"})
            self.assertIn("HEADERS=.\n", result.console)


class Unreachable(unittest.TestCase):
    CMDLINE = ("rootspan.trace=static rootspan.trace_endpoint=unix:/host/v.sock_10240 "
               "rootspan.trace_connect_timeout=300ms")

    def test_forwarder_absent(self):
        with Guest() as guest:
            result = guest.run(["/bin/echo", "agent ran"], self.CMDLINE)
            lines = [line for line in result.console.splitlines()
                     if "No span was acknowledged at unix:/host/v.sock_10240 within 300 ms" in line]
            self.assertEqual(len(lines), 1, result.console)
            self.assertIn("No such file or directory", lines[0])
            self.assertNotIn("agent ran", result.console)
            self.assertEqual(result.end["reason"], "trace-unreachable")
            self.assertEqual(result.end["flush"], "unreachable")

    def test_forwarder_absent_but_not_required(self):
        with Guest() as guest:
            result = guest.run(["/bin/echo", "agent ran"], self.CMDLINE +
                               " rootspan.trace_require=no rootspan.flush_timeout=300ms")
            self.assertIn("agent ran", result.console)
            self.assertEqual(result.end["reason"], "agent-exit")
            self.assertEqual(result.end["flush"], "unreachable")

    def test_forwarder_that_dies_while_the_agent_runs(self):
        with Guest() as guest:
            script = guest.script("script", "echo started\nwhile ! [ -e /host/go ]; do :; done\n")
            guest.start([script], guest.start_forwarder() + " rootspan.flush_timeout=300ms")
            guest.wait_for_console("started")
            guest.stop_forwarder()
            (guest.root / "host/go").touch()
            result = guest.wait()
            self.assertEqual(result.end["flush"], "unreachable", result.console)
            self.assertEqual(result.end["code"], "0")

    def test_forwarder_that_comes_late(self):
        with Guest() as guest:
            cmdline = self.CMDLINE.replace("300ms", "20s")
            guest.start(["/bin/true"], cmdline)
            guest.start_forwarder()
            result = guest.wait()
            guest.stop_forwarder()
            self.assertEqual(result.end["flush"], "delivered", result.console)
            check_trace(guest.spans())

    def test_missing_tracer(self):
        with Guest() as guest:
            (guest.root / "sbin/rootspan-tracer").unlink()
            result = guest.run(["/bin/true"], self.CMDLINE)
            self.assertIn("Cannot start /sbin/rootspan-tracer: No such file", result.console)
            self.assertEqual(result.end["reason"], "trace-unreachable")


class TracerDies(unittest.TestCase):
    # The process is there until init has reaped it and gone on.
    KILL_TRACER = """
        for pid in $(ls /proc | grep '^[0-9]'); do
                grep -q rootspan-tracer /proc/$pid/cmdline 2>/dev/null && kill -KILL $pid &&
                        while [ -e /proc/$pid ]; do :; done
        done
        """

    def test_killed_tracer_is_replaced(self):
        with Guest() as guest:
            script = guest.script("script", self.KILL_TRACER + "exit 5\n")
            result = guest.run([script], guest.start_forwarder())
            guest.stop_forwarder()
            self.assertIn("The tracer ended, starting it again", result.console)
            self.assertEqual(result.end["flush"], "delivered", result.console)
            self.assertEqual(result.end["code"], "5")
            agent = by_name(guest.spans(), "agent")
            self.assertEqual(attributes(agent)["process.exit.code"], 5)
            root = guest.spans()[-1]
            self.assertEqual((root["name"], attributes(root)["rootspan.tracer.restarts"]),
                             ("guest", 1))

    def test_tracer_killed_over_the_last_spans(self):
        """The host is not answering, so that they are still under way then."""
        with Guest() as guest:
            script = guest.script("script", f"""
                (while ! [ -e /host/kill ]; do sleep 0.01; done {self.KILL_TRACER}) &
                echo started
                while ! [ -e /host/exit ]; do sleep 0.01; done
                exit 5
                """)
            guest.start([script], guest.start_forwarder() + " rootspan.log_level=debug "
                        "rootspan.flush_timeout=20s rootspan.end_timeout=20s")
            guest.wait_for_console("started")
            guest.forwarder.send_signal(signal.SIGSTOP)
            (guest.root / "host/exit").touch()
            guest.wait_for_console("run -> flush")
            (guest.root / "host/kill").touch()
            guest.wait_for_console("starting it again")
            guest.forwarder.send_signal(signal.SIGCONT)
            result = guest.wait()
            guest.stop_forwarder()
            self.assertEqual((result.end["flush"], result.end["code"]), ("delivered", "5"))
            # The first tracer's may have arrived, too: as the same span.
            agents = [span for span in guest.spans() if span["name"] == "agent"]
            self.assertEqual(len({span["spanId"] for span in agents}), 1)
            self.assertEqual(attributes(agents[-1])["process.exit.code"], 5)
            self.assertEqual(guest.spans()[-1]["name"], "guest")

    def test_tracer_that_always_dies(self):
        with Guest() as guest:
            cmdline = guest.start_forwarder()
            guest.install("/bin/busybox", "sbin/rootspan-tracer")
            result = guest.run(["/bin/true"], cmdline)
            self.assertIn("going on without it", result.console)
            self.assertEqual(result.end["reason"], "trace-unreachable")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
