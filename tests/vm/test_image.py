"""Guests whose PID 1 is systemd: its boot as spans, and every way the agent's life ends.

Most boot an image that is stripped as Kata's are, which takes half the time.
"""

import os
import pathlib
import re
import shutil
import unittest

import kata
from spans import attributes, by_name, check_trace, times
from vmguest import SOURCE, Host, find_kernel, make_image

STATUS_ERROR = 2
BOOT_SECONDS = 90  # emulated, on a machine that does other things too
# Deadlines that a real guest needs and a slow emulated one must not run into.
SETTINGS = ["trace_connect_timeout=60s", "flush_timeout=60s", "end_timeout=120s"]
UNIT = "rootspan-init.service"
VM_SOCKET = "rootspan-forwarder@run-vm-v.sock.socket"

# Each life of the agent does one of the deeds on the kernel command line, in their order, once the
# boot is complete.
AGENT = """#!/bin/sh
word() { sed -n "s/.*test.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
echo >>/run/lives
systemctl is-system-running --wait
deed=$(word deeds | cut -d, -f"$(wc -l </run/lives)")
case $deed in
  [0-9]*) exit "$deed" ;;
  freeze) kill -STOP "$PPID" ;;
  poweroff) systemctl --no-block poweroff ;;
  look) systemctl start rootspan-forwarder.socket rootspan-forwarder.service
    systemctl is-active rootspan-forwarder.socket rootspan-forwarder.service | xargs echo "host:"
    cat /var/lib/rootspan-vm/*/traces.jsonl
    exit ;;
  restart|stop) systemctl --no-block "$deed" "$(word unit)" ;;
esac
exec sleep 1000
"""
# What a person does in a VM that stays.
PERSON = f"""#!/bin/sh
until [ "$(systemctl show -P ActiveState {UNIT})" = inactive ]; do sleep 0.1; done
say() {{ echo "$1: $(systemctl show -P Result -P ExecMainStatus -P ActiveState {UNIT} | xargs)"; }}
say "after the exit"
systemctl start {UNIT}
say "started"
systemctl stop {UNIT}
say "stopped"
systemctl start {UNIT}
"""
FILES = {
    "usr/bin/kata-agent": AGENT,
    "usr/bin/person": PERSON,
    "etc/systemd/system/rootspan.target.d/person.conf": "[Unit]\nWants=person.service\n",
    "etc/systemd/system/person.service": f"""
[Unit]
ConditionKernelCommandLine=test.person
After={UNIT}
[Service]
StandardOutput=tty
ExecStart=/usr/bin/person
""",
    # A failure that the trace must have.
    "etc/systemd/system/basic.target.d/broken.conf": "[Unit]\nWants=broken.service\n",
    "etc/systemd/system/broken.service": """
[Unit]
DefaultDependencies=no
Before=basic.target
[Service]
Type=oneshot
ExecStart=/bin/false
""",
    f"etc/systemd/system/{UNIT}.d/impatient.conf": "[Service]\nWatchdogSec=6\n",
    # The host's units, in a guest that is its own host: they need places to write to, and the tracer
    # is not root.
    "etc/systemd/system/sockets.target.d/vm.conf": f"[Unit]\nWants={VM_SOCKET}\n",
    f"etc/systemd/system/{VM_SOCKET}.d/mode.conf": "[Socket]\nSocketMode=0666\n",
    "etc/systemd/system/var.mount": "[Mount]\nWhat=tmpfs\nWhere=/var\nType=tmpfs\n",
    "etc/systemd/system/tmp.mount": "[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n",
    "etc/systemd/system/kata-agent.service": kata.AGENT_UNIT,
    "etc/systemd/system/kata-containers.target": kata.TARGET,
}


def setUpModule():  # pylint: disable=invalid-name
    Image.out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / "image"
    shutil.rmtree(Image.out, ignore_errors=True)
    Image.kernel, Image.modules = find_kernel()
    Image.programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                      for name in ("init", "tracer", "systemd", "forwarder", "vsockd")}
    for kind, options in ("full", []), ("stripped", ["--stripped"]):
        directory = Image.out / kind
        for name, text in FILES.items():
            path = directory / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if name.startswith("usr/bin") else 0o644)
        Image.images[kind] = make_image(directory, Image.programs, Image.modules, SETTINGS,
                                        ["--tree", directory / "tree", *options, *host_options()])


def host_options():
    """Of rootspan-mkimage, for what is else on a host."""
    build = pathlib.Path(os.environ["ROOTSPAN_BUILD"])
    units = [*(SOURCE / "units").glob("*.socket"), *(build / "units").glob("*.service")]
    program = re.search("^ExecStart=(\\S+)", units[-1].read_text(), re.MULTILINE)[1]
    # As it is installed: the unit's own filter is tried here, and not the program's.
    yield from ("--package", "libyajl2",
                "--file", f"{build}/src/forward/rootspan-forwarder:{program}")
    for unit in units:
        yield from ("--file", f"{unit}:/usr/lib/systemd/system/{unit.name}")


class Image(unittest.TestCase):
    images = {}
    out = kernel = modules = programs = None

    def setUp(self):
        out = self.out / self.id().split(".", 1)[1]
        out.mkdir()
        self.host = self.enterContext(Host(out, self.programs, self.kernel, self.modules))
        self.host.start_forwarder()
        self.machine = None

    def run_guest(self, deeds, cmdline="rootspan.trace=static", kind="stripped", unit=UNIT):
        """Boots a guest until it ends by itself. Returns init's last lines, one for each life."""
        self.host.use_image(self.images[kind])
        with self.host.boot(cmdline=f"{cmdline} test.deeds={deeds} test.unit={unit}") as machine:
            self.machine = machine
            self.assertEqual(machine.wait(BOOT_SECONDS), 0, "QEMU's exit status")
        self.host.stop_forwarder()
        return [dict(word.split("=", 1) for word in match[1].split())
                for match in machine.console.find(r"^rootspan: end (.*)")]

    def traces(self):
        """The spans of each trace, in the order of their ends."""
        traces = {}
        for span in self.host.spans():
            traces.setdefault(span["traceId"], []).append(span)
        return list(traces.values())

    def check_whole(self, spans, end, reason, code):
        """The trace and the last line of one life."""
        root = check_trace(spans)
        self.assertEqual((end["flush"], end["sent"], end["dropped"]),
                         ("delivered", str(len(spans)), "0"))
        self.assertEqual((end["reason"], end["code"]), (reason, str(code)))
        self.assertEqual(attributes(root)["rootspan.reason"], reason)
        self.assertEqual(attributes(root)["process.exit.code"], code)

    def check_boot(self, spans, unit):
        """systemd's boot: phases that follow each other, units in the order they must have."""
        root, kernel, userspace = (by_name(spans, name) for name in ("guest", "kernel", "userspace"))
        self.assertEqual(times(kernel)[0], times(root)[0])
        self.assertLess(times(kernel)[0], times(kernel)[1])
        self.assertEqual(times(kernel)[1], times(userspace)[0])
        self.assertNotIn("rootspan.systemd.unfinished", attributes(userspace))
        units = [by_name(spans, name) for name in ("sysinit.target", "basic.target", unit)]
        for span in units:
            self.assertEqual(span["parentSpanId"], userspace["spanId"])
            self.assertEqual(attributes(span)["rootspan.systemd.result"], "success")
        self.assertEqual(units, sorted(units, key=times))
        # The service is active when the agent runs, and the boot was complete only then.
        agent_start = times(by_name(spans, "agent"))[0]
        self.assertLess(times(units[-1])[0], agent_start)
        self.assertLessEqual(agent_start, times(units[-1])[1])
        self.assertLessEqual(times(units[-1])[1], times(userspace)[1])

        broken = by_name(spans, "broken.service")
        self.assertEqual(broken["status"], {"code": STATUS_ERROR, "message": "exit-code"})
        self.assertEqual(attributes(broken)["rootspan.systemd.result"], "exit-code")

    def test_exit(self):
        """With journal, udev and dbus; ExecStop= powers off."""
        end, = self.run_guest("0", kind="full")
        spans, = self.traces()
        self.check_whole(spans, end, "agent-exit", 0)
        self.check_boot(spans, UNIT)
        by_name(spans, "systemd-journald.service")
        by_name(spans, "systemd-udevd.service")
        by_name(spans, "dbus.socket")

    def test_kata_unit_restart_and_failure(self):
        """Kata's own unit with the drop-in. A restart is not the VM's end, a failure is; each life
        has a trace of its own."""
        ends = self.run_guest("restart,7", "rootspan.trace=static systemd.unit=kata-containers.target",
                              unit="kata-agent.service")
        traces = self.traces()
        self.assertEqual((len(ends), len(traces)), (2, 2), self.machine.console.text())
        self.check_whole(traces[0], ends[0], "stop-request", 143)
        self.check_boot(traces[0], "kata-agent.service")
        self.check_whole(traces[1], ends[1], "agent-exit", 7)

    def test_guest_that_is_not_static_stays(self):
        """After an exit and after a stop; a failure ends it."""
        ends = self.run_guest("0,idle,7", "rootspan.trace=dynamic test.person")
        console = self.machine.console
        for line in ("after the exit: success 0 inactive", "started: success 0 active",
                     "stopped: success 143 inactive"):
            self.assertTrue(console.find(f"^{line}$"), f"{line}: {console.text()}")
        self.assertEqual([(end["reason"], end["code"], end["flush"]) for end in ends],
                         [("agent-exit", "0", "none"), ("stop-request", "143", "none"),
                          ("agent-exit", "7", "none")])

    def test_stop(self):
        end, = self.run_guest("stop")
        spans, = self.traces()
        self.check_whole(spans, end, "stop-request", 143)

    def test_poweroff(self):
        end, = self.run_guest("poweroff")
        spans, = self.traces()
        self.check_whole(spans, end, "stop-request", 143)

    def test_agent_that_cannot_be_executed(self):
        end, = self.run_guest("0", "rootspan.trace=static rootspan.agent=/none")
        spans, = self.traces()
        self.check_whole(spans, end, "agent-start-failure", 127)
        # The boot was not complete then, and yet is told.
        self.assertTrue(attributes(by_name(spans, "userspace"))["rootspan.systemd.unfinished"])
        by_name(spans, "basic.target")

    def test_host_units(self):
        """In the guest, for once. The forwarder is started by the tracer's connection, and what it
        acknowledges it has written, confined as it is."""
        end, = self.run_guest("look", "rootspan.trace=static "
                                      "rootspan.trace_endpoint=unix:/run/vm/v.sock_10240")
        self.assertEqual((end["reason"], end["flush"]), ("agent-exit", "delivered"))
        console = self.machine.console
        self.assertTrue(console.find("^host: active active$"), console.text())
        self.assertTrue(console.find('"name":"await receiver"'), console.text())

    def test_watchdog(self):
        """rootspan-init is stopped, and nobody but systemd could end this VM. It is the forwarder
        that ends the root span."""
        self.assertEqual(self.run_guest("freeze"), [])
        spans, = self.traces()
        self.assertEqual(attributes(by_name(spans, "guest"))["rootspan.reason"], "vm-lost")


if __name__ == "__main__":
    unittest.main()
