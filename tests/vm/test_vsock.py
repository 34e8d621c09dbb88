"""Real guests on rootspan-vsockd: Linux's own VSOCK driver at the other end of every connection."""

import errno
import fcntl
import os
import pathlib
import selectors
import shutil
import socket
import struct
import termios
import threading
import time
import unittest
import zlib

from qemu import wait_exit
from vmguest import Host, find_kernel

BOOT_SECONDS = 90  # emulated, on a machine that does other things too
SECONDS = 60       # any single wait
BULK = 64 * 1024 * 1024
CHUNK = 64 * 1024
COMMAND_PORT = 5000  # of guest/vsock-peer.c, which says what the commands do
PARALLEL = 300
PEER = "/usr/bin/vsock-peer"
PERIOD = bytes(i * 7 // 3 & 0xFF for i in range(65521))


def pattern(size):
    return (PERIOD * (size // len(PERIOD) + 1))[:size]


def receive_all(peer):
    """Everything up to the end of file."""
    return b"".join(iter(lambda: peer.recv(CHUNK), b""))


def read_line(peer):
    line = b""
    while not line.endswith(b"\n"):
        byte = peer.recv(1)
        if not byte:
            return line
        line += byte
    return line


def parse_result(line):
    return {key: int(value) for key, value in (word.split("=") for word in line.decode().split())}


def echo(peer, payload):
    """Sends and receives at the same time."""
    def send():
        peer.sendall(payload)
        peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    back = receive_all(peer)
    sender.join()
    return back


class Guest(unittest.TestCase):
    """A guest that serves commands, for all the tests of a class."""
    kind = None

    @classmethod
    def setUpClass(cls):
        if not cls.kind:
            raise unittest.SkipTest("the tests are run by subclasses")
        out = pathlib.Path(os.environ["ROOTSPAN_VM_OUT"]) / f"vsock-{cls.__name__}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        programs = {name: os.environ["ROOTSPAN_" + name.upper()]
                    for name in ("init", "tracer", "vsockd")}
        cls.host = cls.enterClassContext(Host(out, programs, *find_kernel()))
        peer = os.environ["ROOTSPAN_VSOCK_PEER"]
        cls.host.make_initrd([PEER], options=["--agent", f"{peer}:{PEER}"])
        cls.vm = cls.enterClassContext(cls.host.boot(cls.kind))
        if not cls.vm.console.wait_for("^vsock-peer: ready", BOOT_SECONDS):
            raise AssertionError("the guest is not ready:\n" + cls.vm.console.text())

    def dial(self, port=COMMAND_PORT):
        """A connection to the device, with CONNECT sent but nothing read."""
        peer = self.enterContext(socket.socket(socket.AF_UNIX))
        peer.settimeout(SECONDS)
        peer.connect(str(self.host.uds))
        peer.sendall(f"CONNECT {port}\n".encode())
        return peer

    def command(self, line):
        """A connection to the guest that does a command."""
        peer = self.dial()
        self.assertRegex(read_line(peer), rb"^OK [0-9]+\n$")
        peer.sendall(line.encode() + b"\n")
        return peer

    def listen(self, port):
        path = f"{self.host.uds}_{port}"
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.settimeout(SECONDS)
        listener.bind(path)
        self.addCleanup(os.unlink, path)
        listener.listen(PARALLEL)
        return listener

    def accept(self, listener):
        peer = self.enterContext(listener.accept()[0])
        peer.settimeout(SECONDS)
        return peer


class Streams(Guest):
    def test_echo_from_the_host(self):
        payload = os.urandom(BULK)
        self.assertTrue(echo(self.command("echo"), payload) == payload)

    def test_echo_from_the_guest(self):
        listener = self.listen(6000)
        control = self.command("dial 6000 echo")
        payload = os.urandom(BULK)
        self.assertTrue(echo(self.accept(listener), payload) == payload)
        result = parse_result(read_line(control))
        self.assertEqual((result["error"], result["sent"], result["received"]), (0, BULK, BULK))

    def test_sink(self):
        payload = os.urandom(BULK)
        peer = self.command("sink")
        peer.sendall(payload)
        peer.shutdown(socket.SHUT_WR)  # the answer comes over the other half
        self.assertEqual(parse_result(read_line(peer)),
                         {"error": 0, "sent": 0, "received": BULK,
                          "adler32": zlib.adler32(payload)})

    def test_source(self):
        listener = self.listen(6000)
        control = self.command(f"dial 6000 source {BULK}")
        peer = self.accept(listener)
        self.assertTrue(receive_all(peer) == pattern(BULK))
        peer.sendall(b"over the other half")
        peer.shutdown(socket.SHUT_WR)
        result = parse_result(read_line(control))
        self.assertEqual((result["error"], result["sent"]), (0, BULK))
        self.assertEqual(result["adler32"], zlib.adler32(b"over the other half"))

    def test_nobody_listens_on_the_host(self):
        result = parse_result(read_line(self.command("dial 7777 echo")))
        self.assertEqual(result["error"], errno.ECONNRESET)

    def test_nobody_listens_in_the_guest(self):
        self.assertEqual(read_line(self.dial(port=9)), b"")

    def test_host_closes_in_the_middle(self):
        listener = self.listen(6000)
        control = self.command(f"dial 6000 source {BULK}")
        peer = self.accept(listener)
        self.assertTrue(peer.recv(CHUNK))
        peer.close()
        result = parse_result(read_line(control))
        self.assertIn(result["error"], (errno.EPIPE, errno.ECONNRESET))
        self.assertLess(result["sent"], BULK)

    def test_host_that_does_not_read(self):
        """It holds up its own connection only, and loses nothing."""
        stuck = self.command(f"source {BULK}")
        payload = os.urandom(CHUNK)
        for _ in range(20):
            self.assertTrue(echo(self.command("echo"), payload) == payload)
        stuck.shutdown(socket.SHUT_WR)
        self.assertTrue(receive_all(stuck) == pattern(BULK))

    def test_guest_that_does_not_read(self):
        stuck = self.command("hold")
        stuck.setblocking(False)
        try:
            while True:
                stuck.send(bytes(CHUNK))
        except BlockingIOError:
            pass
        payload = os.urandom(CHUNK)
        self.assertTrue(echo(self.command("echo"), payload) == payload)

    def echo_in_parallel(self, peers):
        payloads = {peer: os.urandom(CHUNK) for peer in peers}
        back = {peer: b"" for peer in peers}
        with selectors.DefaultSelector() as selector:
            for peer, payload in payloads.items():
                peer.sendall(payload)
                peer.shutdown(socket.SHUT_WR)
                selector.register(peer, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(SECONDS)
                self.assertTrue(ready, "nothing comes any more")
                for key, _ in ready:
                    data = key.fileobj.recv(CHUNK)
                    back[key.fileobj] += data
                    if not data:
                        selector.unregister(key.fileobj)
        self.assertTrue(back == payloads)

    def test_many_connections_from_the_host(self):
        self.echo_in_parallel([self.command("echo") for _ in range(PARALLEL)])

    def test_many_connections_from_the_guest(self):
        listener = self.listen(6000)
        controls = [self.command("dial 6000 echo") for _ in range(PARALLEL)]
        self.echo_in_parallel([self.accept(listener) for _ in range(PARALLEL)])
        for control in controls:
            self.assertEqual(parse_result(read_line(control))["error"], 0)


class StreamsOnQ35(Streams):
    kind = "q35"


class StreamsOnMicrovm(Streams):
    kind = "microvm"


class KilledVm(Guest):
    kind = "q35"

    def test_peers_see_the_end_of_file(self):
        listener = self.listen(6000)
        self.command(f"dial 6000 source {1 << 40}")
        peer = self.accept(listener)
        idle = self.command("echo")
        deadline = time.monotonic() + SECONDS
        while self.waiting(peer) < 2 * CHUNK:  # and the rest is stuck on the way
            self.assertLess(time.monotonic(), deadline)
            self.assertEqual(echo(self.command("echo"), b"x"), b"x")
        self.vm.process.kill()
        self.assertEqual(idle.recv(1), b"")
        rest = receive_all(peer)
        self.assertGreaterEqual(len(rest), 2 * CHUNK)
        self.assertTrue(rest == pattern(len(rest)))
        self.assertEqual(wait_exit(self.vm.vsockd.process, SECONDS), 0)
        self.assertEqual(self.vm.vsockd.log.read_text(), "")  # it would say what it lost
        self.assertFalse(self.host.uds.exists())

    @staticmethod
    def waiting(peer):
        """How many bytes there are to read."""
        return struct.unpack("i", fcntl.ioctl(peer, termios.FIONREAD, bytes(4)))[0]


del Guest, Streams  # only what has a kind of machine is a test


if __name__ == "__main__":
    unittest.main(verbosity=2)
