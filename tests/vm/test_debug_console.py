"""The debug console: a shell for the host's owner, and for nobody in the guest."""

import os
import pathlib
import shutil
import socket
import unittest

from vmguest import Host, find_kernel

BOOT_SECONDS = 90  # emulated, on a machine that does other things too
SECONDS = 60       # any single wait
COMMAND_PORT = 5000  # of guest/vsock-peer.c
PEER = "/usr/bin/vsock-peer"


class DebugConsole(unittest.TestCase):
    def boot(self, cmdline):
        out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / self.id().split(".", 1)[1]
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                    for name in ("init", "tracer", "vsockd")}
        host = self.enterContext(Host(out, programs, *find_kernel()))
        peer = os.environ["ROOTSPAN_VSOCK_PEER"]
        modules = "virtio_pci", "vmw_vsock_virtio_transport", "vsock_loopback"
        host.make_initrd([PEER], options=["--agent", f"{peer}:{PEER}",
                                          *(f"--module={module}" for module in modules)])
        machine = self.enterContext(host.boot(cmdline=cmdline))
        self.assertTrue(machine.console.wait_for("^vsock-peer: ready", BOOT_SECONDS),
                        machine.console.text())
        return host, machine

    def connect(self, host, port, line):
        peer = self.enterContext(socket.socket(socket.AF_UNIX))
        peer.settimeout(SECONDS)
        peer.connect(str(host.uds))
        peer.sendall(f"CONNECT {port}\n{line}\n".encode())
        return peer

    def dialogue(self, host, port, line):
        """What comes back from a connection into the guest, up to its end."""
        peer = self.connect(host, port, line)
        return b"".join(iter(lambda: peer.recv(4096), b"")).decode()

    def check_orderly_end(self, machine):
        """Shells ignore SIGTERM; those of the debug console must not cost the ending its time."""
        self.assertEqual(machine.wait(SECONDS), 0)
        self.assertTrue(machine.console.find("rootspan: end reason=stop-request "))
        self.assertFalse(machine.console.find("killing them"), machine.console.text())

    def test_port(self):
        host, machine = self.boot("rootspan.debug_console")
        said = self.dialogue(host, 1026, "tty; echo $((6*7)); exit")
        self.assertIn("/dev/pts/0\r\n42\r\n", said)
        self.assertIn("\nerror=0 ", self.dialogue(host, COMMAND_PORT,
                                                  f"self {COMMAND_PORT} source 10"))
        self.assertIn(" received=0 ", self.dialogue(host, COMMAND_PORT, "self 1026 sink"))
        self.connect(host, 1026, "kill -TERM 1")
        self.check_orderly_end(machine)

    def test_console(self):
        _, machine = self.boot("rootspan.debug_console=console")
        self.assertTrue(machine.console.wait_for("press Enter for a shell", SECONDS))
        machine.type("\n")
        self.assertTrue(machine.console.wait_for("Enter 'help'", SECONDS), machine.console.text())
        machine.type("echo $((6*7))x; kill -TERM 1\n")
        self.check_orderly_end(machine)
        self.assertTrue(machine.console.find("^42x"), machine.console.text())

    def test_off_unless_asked_for(self):
        host, machine = self.boot("")
        with self.assertRaises(ConnectionResetError):
            self.dialogue(host, 1026, "echo $((6*7)); exit")
        self.assertFalse(machine.console.find("press Enter"))


if __name__ == "__main__":
    unittest.main()
