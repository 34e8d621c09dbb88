"""How a VM ends, as its host sees it: the machine's own events, the VMM's socket, the disk, and the
last line on the console. The agents are in guest/agent."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import unittest

from vmguest import Host, find_kernel

BOOT_SECONDS = 90  # emulated, on a machine that does other things too
SECONDS = 60       # any single wait
SLACK_MS = 500     # what an ending may take beyond its budget
MODULES = ("virtio_pci", "virtio_mmio", "vmw_vsock_virtio_transport", "virtio_blk", "button",
           "evdev")
DATA = "".join(f"{i}\n" for i in range(1, 300001)).encode()  # what the agent writes
NOTIFY_PORT = 7000
NOTIFY_SOCKET = f"vsock-stream:2:{NOTIFY_PORT}"
DEBUG_EXIT = ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")

# What QEMU tells of a VM's end; a halted one is still there.
POWEROFF, REBOOT, HALT = "guest-shutdown", "guest-reset", "halted"


class Vm(unittest.TestCase):
    """Guests of one initrd: what they do is on the kernel command line."""

    @classmethod
    def setUpClass(cls):
        out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / f"endings-{cls.__name__}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                    for name in ("init", "tracer", "vsockd")}
        agent = pathlib.Path(__file__).parent / "guest/agent"
        cls.host = cls.enterClassContext(Host(out, programs, *find_kernel()))
        cls.host.make_initrd(["/bin/agent"], ["on_agent_exit=end"], [
            "--file", f"{agent}:/bin/agent", *(f"--module={name}" for name in MODULES)])

    def boot(self, agent, settings="", kind="q35", extra=()):
        machine = self.enterContext(self.host.boot(
            kind, f'rootspan.agent="/bin/agent {agent}" {settings}', extra))
        machine.monitor.prepare()
        return machine

    def last_line(self, machine):
        """The values of the one line that init ends with."""
        found = machine.console.find("^rootspan: end (.*)")
        self.assertEqual(len(found), 1, machine.console.text())
        return dict(word.split("=", 1) for word in found[0][1].split())

    def finish(self, machine):
        """Waits for the end. Returns how it came, and the last line."""
        status = machine.wait(BOOT_SECONDS)
        self.assertEqual(status, 0, "QEMU's exit status")
        self.assertNotIn("Kernel panic", machine.console.text())
        return machine.monitor.wait_event("SHUTDOWN")["reason"], self.last_line(machine)

    def wait_line(self, machine, pattern):
        found = machine.console.wait_for(pattern, BOOT_SECONDS)
        self.assertIsNotNone(found, machine.console.text())
        return found


class Machines(Vm):
    """Each way to end each kind of machine, and each way for an agent to end."""

    ROWS = (
        # machine, rootspan.shutdown, how that looks, the agent, reason, code, more settings
        ("q35", "auto", POWEROFF, "devour", "agent-oom", 137, ""),
        ("q35", "poweroff", POWEROFF, "die", "agent-signal", 137, ""),
        ("q35", "reboot", REBOOT, "pid1", "agent-exit", 0, "rootspan.agent_pid1=yes"),
        ("q35", "halt", HALT, "stop TERM", "stop-request", 3, ""),
        ("microvm", "auto", POWEROFF, "lose-child", "agent-exit", 4, ""),
        ("microvm", "poweroff", POWEROFF, "fault", "init-fault", 125, ""),
        ("microvm", "reboot", REBOOT, "lose-child-and-die", "agent-signal", 137, ""),
        ("microvm", "halt", HALT, "exit 5", "agent-exit", 5, ""),
        ("microvm,acpi=off", "auto", REBOOT, "fault", "init-fault", 125, ""),
        # Nothing can switch it off: Linux halts instead.
        ("microvm,acpi=off", "poweroff", HALT, "stop INT", "stop-request", 3, ""),
        ("microvm,acpi=off", "reboot", REBOOT, "refuse", "stop-timeout", 137,
         "rootspan.stop_timeout=300ms"),
        ("microvm,acpi=off", "halt", HALT, "exit 6", "agent-exit", 6, ""),
    )
    SAID = {
        "lose-child": "agent: child's status 137",
        "lose-child-and-die": "agent: child's status 137",
        "pid1": "agent: PID 1 of /proc/1( /proc/[0-9]+)?$",
        "fault": "rootspan: PID 1 is at fault: signal 11",
    }

    def test_each(self):
        for kind, shutdown, how, agent, reason, code, settings in self.ROWS:
            with self.subTest(machine=kind, shutdown=shutdown, agent=agent):
                with self.boot(agent, f"rootspan.shutdown={shutdown} {settings}", kind) as machine:
                    found_how, end = (self.finish_halted if how == HALT else self.finish)(machine)
                    self.assertEqual(found_how, how)
                    self.assertEqual((end["reason"], end["code"]), (reason, str(code)))
                    if said := self.SAID.get(agent):
                        self.assertEqual(len(machine.console.find(f"^{said}")), 1,
                                         machine.console.text())

    def finish_halted(self, machine):
        """The VM is left to its user, who finds the last line on its screen."""
        self.wait_line(machine, "reboot: System halted")
        self.assertEqual(machine.monitor.command("query-status")["status"], "running")
        end = self.last_line(machine)
        machine.monitor.command("quit")
        self.assertEqual(machine.wait(SECONDS), 0)
        self.assertEqual(machine.monitor.wait_event("SHUTDOWN")["reason"], "host-qmp-quit")
        return HALT, end


class Notification(Vm):
    """The socket of systemd's vmm.notify_socket, and QEMU's own way to hand on a status."""

    PATIENT = "rootspan.end_timeout=120s"  # the VM cannot have ended because its time was up

    def listen(self):
        path = f"{self.host.uds}_{NOTIFY_PORT}"
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.settimeout(BOOT_SECONDS)
        listener.bind(path)
        self.addCleanup(os.unlink, path)
        listener.listen()
        return listener

    def read_message(self, listener, machine):
        """The lines of one, which comes while the VM is there."""
        connection = listener.accept()[0]
        with connection, connection.makefile() as lines:
            message = lines.read().splitlines()
            # Until this is closed, the guest does not know that it arrived.
            self.assertEqual(machine.monitor.command("query-status")["status"], "running")
        return message

    def read_messages(self, listener, machine):
        return [self.read_message(listener, machine) for _ in range(2)]

    def check_messages(self, kind, settings, extra, code):
        listener = self.listen()
        machine = self.boot(f"exit {code}", f"{self.PATIENT} {settings}", kind, extra)
        self.assertEqual(self.read_messages(listener, machine), [
            ["READY=1"], [f"EXIT_STATUS={code}", "X_ROOTSPAN_REASON=agent-exit"]])
        how, end = self.finish(machine)
        self.assertEqual((how, end["code"]), (POWEROFF, str(code)))
        self.assertEqual(machine.console.find("Cannot tell the VMM"), [])

    def test_socket_on_the_kernel_command_line(self):
        self.check_messages("microvm", f"rootspan.notify_socket={NOTIFY_SOCKET}", (), 42)

    def test_socket_in_an_smbios_credential(self):
        value = f"io.systemd.credential:vmm.notify_socket={NOTIFY_SOCKET}"
        self.check_messages("q35", "", ("-smbios", f"type=11,value={value}"), 43)

    def test_fault_of_pid_1(self):
        """The host is told, too, and the kernel's log, which loglevel= has on the console."""
        listener = self.listen()
        machine = self.boot("fault", f"rootspan.notify_socket={NOTIFY_SOCKET} "
                            "rootspan.debug_exit=0xf4 loglevel=5", extra=DEBUG_EXIT)
        self.assertEqual(self.read_messages(listener, machine), [
            ["READY=1"], ["EXIT_STATUS=125", "X_ROOTSPAN_REASON=init-fault"]])
        self.assertEqual(machine.wait(SECONDS), 125 * 2 + 1)
        self.assertEqual(self.last_line(machine)["reason"], "init-fault")
        for line in "PID 1 is at fault: signal 11$", "end reason=init-fault":
            self.assertEqual(len(machine.console.find(rf"^\[ *[0-9.]+\] rootspan: {line}")), 1,
                             machine.console.text())

    def test_configuration_error(self):
        listener = self.listen()
        machine = self.boot("exit 0", f"{self.PATIENT} rootspan.notify_socket={NOTIFY_SOCKET} "
                            "rootspan.trace=perhaps")
        self.assertEqual(self.read_message(listener, machine),
                         ["EXIT_STATUS=125", "X_ROOTSPAN_REASON=config-error"])
        self.assertEqual(self.finish(machine)[1]["reason"], "config-error")

    def check_failure(self, agent, code, error):
        """The VM ends in time, and with the code that QEMU can exit with."""
        machine = self.boot(agent, f"rootspan.notify_socket={NOTIFY_SOCKET} "
                            "rootspan.end_timeout=1s rootspan.debug_exit=0xf4", extra=DEBUG_EXIT)
        self.assertEqual(machine.wait(BOOT_SECONDS), (code * 2 + 1) % 256)
        end = self.last_line(machine)
        self.assertEqual(end["code"], str(code))
        self.assertLessEqual(int(end["total_ms"]), 1000 + SLACK_MS)
        self.assertEqual(len(machine.console.find(f"Cannot tell the VMM the exit status: {error}")),
                         1, machine.console.text())

    def test_host_that_refuses(self):
        self.check_failure("exit 7", 7, "Connection reset by peer")

    def test_host_that_never_reads(self):
        self.listen()
        self.check_failure("die", 137, "(Connection|Operation) timed out")  # glibc, musl


class Request(Vm):
    """The host asks for the end."""

    def test_power_button(self):
        """It is for an agent to read: without one that does, nothing happens."""
        machine = self.boot("button", "rootspan.shutdown=reboot")
        self.wait_line(machine, "^agent: ready")
        machine.monitor.command("system_powerdown")
        self.wait_line(machine, "^agent: power button")
        how, end = self.finish(machine)
        self.assertEqual((how, end["reason"], end["code"]), (REBOOT, "stop-request", "3"))
        said = [match[0] for match in machine.console.find("power button|Asked to stop")]
        self.assertEqual(said, ["power button", "Asked to stop"])


class Disk(Vm):
    """A file system that an agent mounted, on a disk of the host's."""

    def boot_with_disk(self, agent, settings=""):
        self.image = self.host.out / f"{agent}.img"
        with open(self.image, "wb") as file:
            file.truncate(32 * 1024 * 1024)
        self.tool("mkfs.ext4", "-q", self.image)
        return self.boot(agent, settings, extra=(
            "-drive", f"if=none,id=image,format=raw,file={self.image}",
            "-device", "virtio-blk-pci,drive=image"))

    @staticmethod
    def tool(name, *arguments):
        """What a program of e2fsprogs prints."""
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return subprocess.run([shutil.which(name, path=path), *arguments], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def test_clean_after_the_end(self):
        machine = self.boot_with_disk("disk", "rootspan.end_timeout=2s")
        how, end = self.finish(machine)
        self.assertEqual((how, end["reason"], end["code"]), (POWEROFF, "agent-exit", "0"))
        self.assertEqual(len(machine.console.find("killing them")), 1, machine.console.text())
        self.assertEqual(machine.console.find("unmount"), [])
        head = self.tool("dumpe2fs", "-h", self.image).decode()
        self.assertRegex(head, r"(?m)^Filesystem state: +clean$")
        self.assertNotIn("needs_recovery", head)
        self.tool("e2fsck", "-fn", self.image)  # fails if there is anything to repair
        self.assertTrue(self.tool("debugfs", "-R", "cat /data", self.image) == DATA)

    def check_in_time(self, machine, end, budget_ms, lines):
        self.assertLessEqual(int(end["total_ms"]), budget_ms + SLACK_MS)
        for line in lines:
            self.assertEqual(len(machine.console.find(line)), 1, machine.console.text())

    def test_frozen_file_system(self):
        machine = self.boot_with_disk("frozen-disk", "rootspan.end_timeout=1s")
        how, end = self.finish(machine)
        self.assertEqual((how, end["reason"]), (POWEROFF, "agent-exit"))
        self.check_in_time(machine, end, 1000, ("Some killed processes are still there",
                                                "Cannot unmount /mnt: "))

    def test_disk_that_hangs(self):
        """And a host that, for want of a better idea, sends Ctrl-Alt-Del."""
        machine = self.boot_with_disk("dirty-disk", "rootspan.end_timeout=1s")
        self.wait_line(machine, "^agent: ready")
        limits = dict.fromkeys(("bps", "bps_rd", "iops", "iops_rd", "iops_wr"), 0)
        machine.monitor.command("block_set_io_throttle", device="image", bps_wr=1, **limits)
        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        machine.monitor.command("send-key", keys=keys)
        how, end = self.finish(machine)
        self.assertEqual((how, end["reason"], end["code"]), (POWEROFF, "stop-request", "3"))
        self.check_in_time(machine, end, 1000, ("File systems did not sync in time",
                                                "Could not unmount /mnt in time"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
