"""Real guests in QEMU: boot, trace, and the end of the VM, from the agent to the host's file."""

import os
import pathlib
import re
import shutil
import time
import unittest

from collector import Collector, Handler
from otlp_decode import spans as decode_spans
from spans import attributes, by_name, check_trace, times
from vmguest import TRACE_PORT, Host, find_kernel

STATUS_ERROR = 2
BOOT_SECONDS = 90  # emulated, on a machine that does other things too
# Deadlines that a real guest needs and a slow emulated one must not run into.
SETTINGS = ["trace=static", "trace_connect_timeout=60s", "flush_timeout=60s", "end_timeout=120s"]
MOUNTS = {
    "/proc": ("proc", {"nosuid", "nodev", "noexec"}),
    "/sys": ("sysfs", {"nosuid", "nodev", "noexec"}),
    "/dev": ("devtmpfs", {"nosuid"}),
    "/dev/shm": ("tmpfs", {"nosuid", "nodev"}),
    "/dev/pts": ("devpts", {"nosuid", "noexec"}),
    "/run": ("tmpfs", {"nosuid", "nodev"}),
    "/sys/fs/cgroup": ("cgroup2", {"nosuid", "nodev", "noexec", "nsdelegate"}),
}


def setUpModule():  # pylint: disable=invalid-name
    Guest.kernel, Guest.modules = find_kernel()


class Guest(unittest.TestCase):
    kernel = modules = None

    def setUp(self):
        self.out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / self.id().split(".", 1)[1]
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                    for name in ("init", "tracer", "forwarder", "vsockd")}
        self.host = self.enterContext(Host(self.out, programs, self.kernel, self.modules))
        self.console = ""

    def run_guest(self, agent, settings=(), kind="q35", options=(), forwarder=True):
        """Boots a guest until it ends by itself. Returns the values of init's last line."""
        self.host.make_initrd(agent, [*SETTINGS, *settings], options)
        if forwarder:
            self.host.start_forwarder()
        with self.host.boot(kind) as machine:
            status = machine.wait(BOOT_SECONDS)
            self.console = machine.console.text()
            end = self.last_line(machine)
        self.assertEqual(status, 0, "QEMU's exit status")
        if forwarder:
            self.host.stop_forwarder()
        return end

    def last_line(self, machine):
        found = machine.console.find(r"^rootspan: end (.*)")
        self.assertEqual(len(found), 1, machine.console.text())
        return dict(word.split("=", 1) for word in found[0][1].split())

    def said(self, key):
        """What the agent printed as KEY: VALUE."""
        return re.findall(rf"^{key}: (.*)$", self.console, re.MULTILINE)

    def check_delivered(self, end, spans):
        self.assertEqual((end["flush"], end["sent"], end["dropped"]),
                         ("delivered", str(len(spans)), "0"))


class Static(Guest):
    def test_whole_trace_and_prepared_guest(self):
        script = "; ".join((
            "sed 's/^/mount: /' /proc/mounts", "sed 's/^/module: /' /proc/modules",
            "sed 's/^/lo: /' /sys/class/net/lo/flags", 'echo "host: $(hostname)"',
            'echo "files: $(ulimit -n)"', 'echo "span: $TRACEPARENT"',
            "sed 's/^/stat: /' /proc/$$/stat"))
        end = self.run_guest(["/bin/sh", "-c", script], options=["--hostname", "guest-1"])
        self.assertEqual((end["reason"], end["code"]), ("agent-exit", "0"))

        spans = self.host.spans()
        root = check_trace(spans)
        self.check_delivered(end, spans)
        agent = by_name(spans, "agent")
        self.assertEqual(agent["parentSpanId"], root["spanId"])
        self.assertEqual(attributes(agent)["process.exit.code"], 0)
        self.assertNotEqual(agent.get("status", {}).get("code"), STATUS_ERROR)
        self.assertEqual(self.said("span"), [f"00-{root['traceId']}-{agent['spanId']}-01"])

        self.assertEqual(self.said("host"), ["guest-1"])
        self.assertEqual(self.said("files"), ["1048576"])
        self.assertNotEqual([line.split()[6] for line in self.said("stat")], ["0"], "no terminal")
        self.assertEqual([int(flags, 16) & 1 for flags in self.said("lo")], [1], "lo is not up")
        loaded = [line.split()[0] for line in self.said("module")]
        steps = [span["name"] for span in spans]
        for module in "vsock", "virtio_pci", "vmw_vsock_virtio_transport":
            self.assertIn(module, loaded)
            self.assertIn(f"module {module}", steps)
        self.check_mounts()

    def check_mounts(self):
        mounts = {line.split()[1]: line.split()[2:4] for line in self.said("mount")}
        asked = {"nosuid", "nodev", "noexec", "nsdelegate"}
        for where, (kind, options) in MOUNTS.items():
            found_kind, found = mounts.get(where, ("nothing", ""))
            self.assertEqual((found_kind, set(found.split(",")) & asked), (kind, options), where)

    def test_failed_agent_is_an_error(self):
        end = self.run_guest(["/bin/sh", "-c", "exit 7"])
        spans = self.host.spans()
        root = check_trace(spans)
        agent = by_name(spans, "agent")
        self.assertEqual(attributes(agent)["process.exit.code"], 7)
        self.assertEqual(agent["status"], {"code": STATUS_ERROR, "message": "exit code 7"})
        self.assertEqual(root["status"]["code"], STATUS_ERROR)
        self.assertEqual((end["reason"], end["code"], end["signal"]), ("agent-exit", "7", "0"))
        self.check_delivered(end, spans)

    def test_killed_agent_is_an_error(self):
        end = self.run_guest(["/bin/sh", "-c", "kill -SEGV $$"])
        spans = self.host.spans()
        check_trace(spans)
        agent = by_name(spans, "agent")
        self.assertEqual(attributes(agent)["rootspan.agent.signal"], 11)
        self.assertIn("SIGSEGV", agent["status"]["message"])
        self.assertEqual((end["reason"], end["signal"]), ("agent-signal", "11"))
        self.check_delivered(end, spans)

    def test_agent_that_cannot_be_executed(self):
        end = self.run_guest(["/usr/bin/none"])
        spans = self.host.spans()
        check_trace(spans)
        self.assertEqual(attributes(by_name(spans, "agent"))["process.exit.code"], 127)
        self.assertIn("No such file or directory", by_name(spans, "agent")["status"]["message"])
        self.assertEqual(end["reason"], "agent-start-failure")
        self.assertRegex(self.console, r"(?m)^rootspan: .*/usr/bin/none.*No such file or directory")

    def test_agent_that_calls_reboot_as_pid_1(self):
        """And makes its own mounts: it ends its namespaces, and the trace still gets out."""
        script = ('echo "pid: $$"; mount -t proc proc /proc && mount -t sysfs sysfs /sys && '
                  "mount -t tmpfs run /run && mount -t cgroup2 cgroup2 /sys/fs/cgroup && "
                  'echo "mounts: made"; poweroff -f')
        end = self.run_guest(["/bin/sh", "-c", script], ["agent_pid1=yes"])
        self.assertEqual(self.said("pid"), ["1"])
        self.assertEqual(self.said("mounts"), ["made"])
        spans = self.host.spans()
        check_trace(spans)
        self.assertEqual(attributes(by_name(spans, "agent"))["process.exit.code"], 0)
        self.check_delivered(end, spans)

    def test_microvm_and_version_1_cgroups(self):
        script = ("sed 's/^/module: /' /proc/modules; sed 's/^/mount: /' /proc/mounts; "
                  "mkdir /sys/fs/cgroup/memory/test && echo group: made; exit 3")
        end = self.run_guest(["/bin/sh", "-c", script], ["unified_cgroup_hierarchy=no"],
                             kind="microvm", options=["--compress", "gzip"])
        spans = self.host.spans()
        check_trace(spans)
        self.assertEqual(attributes(by_name(spans, "agent"))["process.exit.code"], 3)
        self.assertIn("virtio_mmio", [line.split()[0] for line in self.said("module")])
        mounts = {line.split()[1]: line.split()[2:4] for line in self.said("mount")}
        self.assertEqual(mounts["/sys/fs/cgroup"][0], "tmpfs")
        self.assertIn("ro", mounts["/sys/fs/cgroup"][1].split(","))
        for controller in "cpu", "cpuset", "devices", "freezer", "memory", "pids":
            kind, options = mounts[f"/sys/fs/cgroup/{controller}"]
            self.assertEqual(kind, "cgroup")
            self.assertLessEqual({"nosuid", "nodev", "noexec", controller}, set(options.split(",")))
        self.assertEqual(self.said("group"), ["made"])
        self.check_delivered(end, spans)


class Lost(Guest):
    def wait_for(self, path, text):
        """Until the forwarder has written @text to a file."""
        deadline = time.monotonic() + BOOT_SECONDS
        while text not in path.read_text():
            self.assertLess(time.monotonic(), deadline, path.read_text())
            time.sleep(0.1)

    def test_vm_that_is_killed(self):
        """The host ends its root span."""
        self.host.make_initrd(["/bin/sh", "-c", "echo working; exec sleep 1000"], SETTINGS)
        self.host.start_forwarder(options=["--log-level=debug"])
        with self.host.boot() as machine:
            self.assertIsNotNone(machine.console.wait_for("^working", BOOT_SECONDS))
            self.wait_for(self.host.forwarder.log, "holds an open root span")
            self.wait_for(self.host.trace_file, '"name":"boot"')
            machine.process.kill()
        self.wait_for(self.host.trace_file, '"name":"guest"')
        self.host.stop_forwarder()
        root = check_trace(self.host.spans())
        self.assertEqual(root["status"], {"code": STATUS_ERROR, "message":
                                          "the VM was lost before its root span came"})
        self.assertEqual(attributes(root)["rootspan.reason"], "vm-lost")
        tree = self.host.tree_file.read_text()
        self.assertIn("\n✗ guest ", tree)
        self.assertNotIn("<trace-without-root-span>", tree)


class InsideTheGuest(Guest):
    def test_forwarder_on_vsock(self):
        """A forwarder on AF_VSOCK, in the guest itself and so without a host's help."""
        script = " ".join((
            "setsid rootspan-forwarder --vsock-cid=any --file=/run/trace.jsonl --log-level=debug &",
            """until grep -qs '"name":"boot"' /run/trace.jsonl; do sleep 0.1; done;""",
            "sed 's/^/trace: /' /run/trace.jsonl"))
        end = self.run_guest(
            ["/bin/sh", "-c", script],
            ["trace_require=no", "trace_endpoint=vsock://1:10240"], forwarder=False,
            options=["--agent", f"{os.environ['ROOTSPAN_FORWARDER']}:/usr/bin/rootspan-forwarder",
                     "--with-libraries", "--module", "vsock_loopback"])
        found = "".join(self.said("trace"))
        for name in "kernel", "boot":
            self.assertIn(f'"name":"{name}"', found)
        self.assertIn("rootspan-forwarder: cid 1: holds an open root span", self.console)
        self.assertEqual((end["flush"], end["dropped"]), ("delivered", "0"), self.console)
class WithoutConsole(Guest):
    def test_lines_go_to_the_kernel_log(self):
        """Which this kernel shows by means that are no console to a program."""
        self.host.make_initrd(["/bin/sh", "-c", "exit 9"])
        with self.host.boot(cmdline="8250.nr_uarts=0 earlyprintk=serial,ttyS0,115200,keep") as machine:
            self.assertEqual(machine.wait(BOOT_SECONDS), 0)
            self.assertTrue(machine.console.find("unable to open an initial console"))
            lines = machine.console.find(r"\] rootspan: end reason=agent-exit code=9 ")
            self.assertEqual(len(lines), 1, machine.console.text())


class WithoutForwarder(Guest):
    def test_nobody_listens(self):
        """The agent does not run untraced: a clear line, and the VM ends."""
        self.host.make_initrd(["/bin/sh", "-c", "echo untraced"], ["trace=static"])
        with self.host.boot() as machine:
            line = machine.console.wait_for(r"^rootspan: No span was acknowledged at "
                                            r"vsock://2:10240", BOOT_SECONDS)
            self.assertIsNotNone(line, machine.console.text())
            self.assertEqual(machine.wait(5), 0)
            self.assertEqual(self.last_line(machine)["reason"], "trace-unreachable")
            self.assertEqual(len(machine.console.find("No span was acknowledged")), 1)
            self.assertNotIn("untraced", machine.console.text())

    def test_any_receiver_of_otlp_will_do(self):
        """A stock collector that listens where the VMM puts port 10240."""
        with Collector(f"{self.host.uds}_{TRACE_PORT}") as collector:
            end = self.run_guest(["/bin/true"], forwarder=False)
        bodies = [body for _, body in collector.requests]
        spans = [span for body in bodies for span in decode_spans(body)]
        self.check_delivered(end, spans)
        # The root span comes in a last request of its own.
        self.assertEqual([span["name"] for span in decode_spans(bodies[-1])], ["guest"])
        ids = {span["span_id"] for span in spans}
        self.assertEqual([span["name"] for span in spans if span["parent_span_id"] not in ids],
                         ["guest"])

    def test_tracing_off(self):
        """No tracer, no wait; a failed agent still ends the VM."""
        self.host.make_initrd(["/bin/sh", "-c", 'ps | grep -c "[t]racer"; exit 1'])
        with self.host.boot() as machine:
            self.assertEqual(machine.wait(BOOT_SECONDS), 0)
            end = self.last_line(machine)
            self.assertEqual((end["code"], end["flush"]), ("1", "none"))
            self.assertIsNotNone(machine.console.find("^0$"), machine.console.text())


class Jump(Guest):
    """A guest whose VSOCK device is reset below its feet and whose clock is set: what it sees of a
    resume from a snapshot. (QEMU does not migrate one with a vhost-user device; the driver does the
    same to its sockets when it lets go of the device.)"""

    DRIVER = "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport"
    STEP = 3600 * 10**9

    def test_trace_goes_on_under_a_new_id(self):
        script = "; ".join((
            'echo "span: $TRACEPARENT"', f"cd {self.DRIVER}", "device=$(echo virtio*)",
            "echo $device >unbind", "echo $device >bind",
            "date -s @$(($(date +%s) + 3600)) >/dev/null"))
        end = self.run_guest(["/bin/sh", "-c", script])
        self.assertEqual((end["reason"], end["code"], end["flush"]),
                         ("agent-exit", "0", "delivered"))
        [former] = {text.split("-")[1] for text in self.said("span")}
        spans = self.host.spans()
        ids = [(span["traceId"], span["spanId"]) for span in spans]
        self.assertEqual(len(set(ids)), len(ids))
        after = [span for span in spans if span["traceId"] != former]
        self.assertEqual(len({span["traceId"] for span in after}), 1)
        root, agent = by_name(after, "guest"), by_name(after, "agent")
        self.assertEqual(agent["parentSpanId"], root["spanId"])
        self.assertEqual([(link["traceId"], link["spanId"]) for link in root["links"]],
                         [(former, root["spanId"])])
        events = {event["name"]: attributes(event) for event in root["events"]}
        self.assertEqual(len(events), len(root["events"]))
        self.assertEqual(events["rootspan.resumed"], {"rootspan.resume.sign": "vsock-reset",
                                                      "rootspan.former_trace_id": former})
        step = events["rootspan.clock_step"]["rootspan.clock_step_ns"]
        self.assertAlmostEqual(step, self.STEP, delta=2 * 10**9)  # date knows whole seconds
        for span in agent, root:
            start, finish = times(span)
            self.assertTrue(step <= finish - start <= step + BOOT_SECONDS * 10**9)

    def test_a_host_that_ends_connections_is_no_resume(self):
        """Neither between two requests nor in the middle of one."""
        with Collector(f"{self.host.uds}_{TRACE_PORT}", Rude) as collector:
            end = self.run_guest(["/bin/true"], forwarder=False)
        self.assertEqual(end["flush"], "delivered")
        self.assertGreaterEqual(Rude.refused, 2)
        spans = [span for _, body in collector.requests for span in decode_spans(body)]
        self.assertEqual(len({span["trace_id"] for span in spans}), 1)
        self.assertEqual((spans[-1]["name"], spans[-1]["events"]), ("guest", []))


class Rude(Handler):
    """Ends every connection behind an answer, and every second one within a request."""

    turn = refused = 0

    def do_POST(self):
        Rude.turn += 1
        if Rude.turn % 2:
            super().do_POST()
        else:
            Rude.refused += 1  # what was not read makes it a reset
        self.close_connection = True


if __name__ == "__main__":
    unittest.main()
