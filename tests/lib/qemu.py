"""Virtual machines for the demo and the VM tests: QEMU, the VSOCK device beside it, its console.

QEMU emulates the processor (TCG), so that no /dev/kvm is needed; ROOTSPAN_ACCEL=kvm is for those
who have one. Every wait has a deadline and waits for an event. Whatever was started is a child
with a session of its own, so that a Ctrl-C reaches only this process, and is killed by the kernel
if this process dies without having ended it.
"""

import os
import pathlib
import re
import secrets
import select
import socket
import subprocess
import threading
import time

from qmp import Monitor

GUEST_CID = 3
MEMORY = "256M"


class Failure(Exception):
    """What did not work, in words for the person who started this."""


def spawn(command, stdin=subprocess.DEVNULL, **options):
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)],
                            stdin=stdin, start_new_session=True, **options)


def wait_exit(process, seconds):
    """The exit status, or None if the process still runs when the time is up."""
    if process.poll() is None:
        pidfd = os.pidfd_open(process.pid)
        try:
            select.select([pidfd], [], [], seconds)
        finally:
            os.close(pidfd)
    return process.poll()


def end(process):
    """For a process that nobody needs any more."""
    if process.poll() is None:
        process.kill()
    process.wait()


class Service:
    """A program of the host that says READY=1, as to systemd. Its standard error goes to a log,
    its standard output to a file of its own where one is given."""

    def __init__(self, command, log, output=None, pass_fds=()):
        self.name = pathlib.Path(command[0]).name
        self.log = log
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"rootspan-{secrets.token_hex(8)}"
        self.ready.bind("\0" + address)
        with open(log, "wb") as errors, open(output or os.devnull, "wb") as out:
            self.process = spawn(command, stdout=out, stderr=errors, pass_fds=pass_fds,
                                 env={**os.environ, "NOTIFY_SOCKET": "@" + address})

    def wait_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while True:
                left = max(0, deadline - time.monotonic())
                found = select.select([self.ready, pidfd], [], [], left)[0]
                if self.ready in found:
                    if b"READY=1" in self.ready.recv(4096).split(b"\n"):
                        return
                elif pidfd in found:
                    raise Failure(f"{self.name} ended at once, see {self.log}")
                else:
                    raise Failure(f"{self.name} was not ready within {seconds} s, see {self.log}")
        finally:
            os.close(pidfd)

    def stop(self, seconds=20):
        """Asks it to end and returns its exit status."""
        self.process.terminate()
        status = wait_exit(self.process, seconds)
        if status is None:
            raise Failure(f"{self.name} did not stop within {seconds} s, see {self.log}")
        return status

    def close(self):
        end(self.process)
        self.ready.close()


class Console(threading.Thread):
    """Follows a guest's console: writes it to a file and lets others wait for its lines."""

    def __init__(self, stream, path):
        super().__init__(daemon=True)
        self.stream = stream
        self.path = path
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.start()

    def run(self):
        with open(self.path, "wb") as log:
            for line in self.stream:
                line = line.replace(b"\r", b"")
                log.write(line)
                log.flush()
                with self.changed:
                    self.lines.append(line.decode(errors="replace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def find(self, pattern):
        """All matches of a regular expression, one a line at the most."""
        with self.changed:
            return [match for match in (re.search(pattern, line) for line in self.lines) if match]

    def wait_for(self, pattern, seconds):
        """The first match; None when the console or the time ended before it."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or self.find(pattern), seconds)
            return next(iter(self.find(pattern)), None)

    def follow(self, seconds):
        """Yields the lines as they come, until the console or the time ends."""
        deadline = time.monotonic() + seconds
        seen = 0
        while (left := deadline - time.monotonic()) > 0:
            with self.changed:
                self.changed.wait_for(lambda: self.ended or len(self.lines) > seen, left)
                new = self.lines[seen:]
            if not new:
                return
            seen += len(new)
            yield from new

    def text(self):
        with self.changed:
            return "\n".join(self.lines)


def tsc_khz():
    """What the guest's time stamp counter does: under TCG it is the host's."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    return int(float(re.search(r"^cpu MHz\s*: ([0-9.]+)", cpuinfo, re.MULTILINE)[1]) * 1000)


def machine_options(kind, accel):
    """QEMU's options for a kind of machine, which is "q35" or "microvm" with what may follow that
    in -M, and what its kernel must be told."""
    options = ["-M", f"{kind},accel={accel},memory-backend=mem0", "-nodefaults"]
    if kind == "q35":
        return [*options, "-device", "vhost-user-vsock-pci,chardev=vsock"], ""
    options += ["-no-user-config", "-global", "virtio-mmio.force-legacy=false",
                "-device", "vhost-user-vsock-device,chardev=vsock"]
    # Without other timers, half the boots hang in calibrating this one.
    return options, f"tsc_early_khz={tsc_khz()} tsc=reliable" if accel == "tcg" else ""


class Machine:
    """A running VM with its rootspan-vsockd. The guest's port N on the host is UDS_N. More of
    QEMU's options are in @extra."""

    def __init__(self, kind, kernel, initrd, vsockd, uds, out, cmdline="", extra=()):
        accel = os.environ.get("ROOTSPAN_ACCEL", "tcg")
        options, kernel_words = machine_options(kind, accel)
        out = pathlib.Path(out)
        self.qemu_log = out / "qemu.log"
        ours, theirs = socket.socketpair()
        monitor, qmp = socket.socketpair()
        self.monitor = Monitor(monitor)
        with ours, theirs, qmp:
            self.vsockd = Service([vsockd, "--fd", ours.fileno(), "--uds-path", uds,
                                   "--guest-cid", GUEST_CID],
                                  out / "vsockd.log", pass_fds=[ours.fileno()])
            try:
                self.vsockd.wait_ready()
                with open(self.qemu_log, "wb") as log:
                    self.process = spawn(
                        ["qemu-system-x86_64", *options, "-m", MEMORY, "-display", "none",
                         "-cpu", "host" if accel == "kvm" else "max", "-no-reboot",
                         "-object", f"memory-backend-memfd,id=mem0,size={MEMORY},share=on",
                         "-chardev", f"socket,id=vsock,fd={theirs.fileno()}",
                         "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                         "-chardev", f"socket,id=qmp,fd={qmp.fileno()}",
                         "-mon", "chardev=qmp,mode=control", *extra,
                         "-kernel", kernel, "-initrd", initrd,
                         "-append", f"console=ttyS0 quiet panic=-1 {kernel_words} {cmdline}"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                        pass_fds=[theirs.fileno(), qmp.fileno()])
            except BaseException:
                self.monitor.close()
                self.vsockd.close()
                raise
        self.console = Console(self.process.stdout, out / "console.log")

    def type(self, text):
        """Into the guest's console."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait(self, seconds):
        """Waits for the VM to end by itself. Returns QEMU's exit status."""
        status = wait_exit(self.process, seconds)
        if status is None:
            raise Failure(f"the VM did not end within {seconds} s, see {self.console.path}")
        self.console.join()
        return status

    def close(self):
        end(self.process)
        self.console.join()
        self.process.stdin.close()
        self.process.stdout.close()
        self.monitor.close()
        # It ends with QEMU, after it has passed on what the guest sent last.
        wait_exit(self.vsockd.process, 10)
        self.vsockd.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
