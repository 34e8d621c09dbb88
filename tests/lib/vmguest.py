"""A guest in a VM and all that is around it: kernel, initrd, forwarder, VSOCK device."""

import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import spans
from qemu import Failure, Machine, Service, end, spawn

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUSYBOX = pathlib.Path("/bin/busybox")
TRACE_PORT = 10240


def run(command, log=None):
    """Runs a program of the build to its end; its output goes to a log, or where ours goes."""
    with open(log or os.devnull, "wb") as file:
        process = spawn(command, stdout=file, stderr=file if log else None)
        try:
            status = process.wait()
        finally:
            end(process)
    if status != 0:
        raise Failure(f"{pathlib.Path(command[0]).name} failed" + (f", see {log}" if log else ""))


def find_kernel(build=SOURCE / "build"):
    """The kernel and its modules: the user's, or Debian's, which is downloaded once."""
    kernel, modules = os.environ.get("ROOTSPAN_KERNEL"), os.environ.get("ROOTSPAN_MODULES")
    if kernel and modules:
        return pathlib.Path(kernel), pathlib.Path(modules)
    if kernel or modules:
        raise Failure("ROOTSPAN_KERNEL and ROOTSPAN_MODULES go together")
    run([SOURCE / "tools/fetch-kernel", build / "kernel"])
    return build / "kernel/vmlinuz", build / "kernel/modules"


def make_userland(root):
    """Fills a directory with busybox and its applets."""
    if not BUSYBOX.exists():
        raise Failure(f"there is no {BUSYBOX}: install busybox-static")
    (root / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    for applet in set(applets.stdout.split()) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")


def make_image(out, programs, modules, settings=(), options=(), build=SOURCE / "build"):
    """A guest with systemd, for Host.use_image(). @programs has systemd, too; @settings are lines
    of init.conf, @options more options of rootspan-mkimage."""
    config = out / "image.conf"
    config.write_text("".join(f"{line}\n" for line in settings))
    image = out / "disk.img", out / "initramfs.cpio"
    run([SOURCE / "initrd/rootspan-mkimage", "--output", image[0], "--initramfs", image[1],
         "--init", programs["init"], "--tracer", programs["tracer"],
         "--systemd", programs["systemd"], "--units", SOURCE / "units",
         "--kernel-modules", modules, "--cache", build / "packages", "--config", config, *options],
        out / "mkimage.log")
    return image


class Host:
    """Where guests are made and run. Logs and traces go to @out; @programs are the paths of init,
    tracer, forwarder and vsockd."""

    def __init__(self, out, programs, kernel, modules):
        self.out = pathlib.Path(out)
        self.programs = programs
        self.kernel = kernel
        self.modules = modules
        self.initrd = self.out / "initrd.cpio"
        self.disk = None
        self.trace_file = self.out / "trace.jsonl"
        self.tree_file = self.out / "tree.txt"
        self.forwarder = None
        # A Unix socket's path has room for 107 bytes: not in @out, which may be deep.
        self.sockets = tempfile.TemporaryDirectory(prefix="rootspan-vm-")
        self.uds = pathlib.Path(self.sockets.name) / "v.sock"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.forwarder:
            self.forwarder.close()
        self.sockets.cleanup()

    def make_initrd(self, agent, settings=(), options=()):
        """@agent is a list of words, @settings are lines of init.conf, @options more options of
        rootspan-mkinitrd."""
        if any("\n" in word for word in agent):
            raise Failure("init.conf has a line for the agent, so no word of it may hold a newline")
        userland = self.out / "userland"
        shutil.rmtree(userland, ignore_errors=True)
        make_userland(userland)
        config = self.out / "init.conf"
        config.write_text("".join(f"{line}\n" for line in (f"agent={shlex.join(agent)}",
                                                           *settings)))
        run([SOURCE / "initrd/rootspan-mkinitrd", "--output", self.initrd,
             "--init", self.programs["init"], "--tracer", self.programs["tracer"],
             "--tree", userland, "--kernel-modules", self.modules, "--config", config, *options],
            self.out / "mkinitrd.log")

    def use_image(self, image):
        """Guests start from it, in the place of an initrd, and leave it as it is."""
        self.disk, self.initrd = image

    def start_forwarder(self, color="never", options=()):
        self.forwarder = Service([self.programs["forwarder"], "--socket-path", self.uds,
                                  "--file", self.trace_file, "--tree", "--color", color, *options],
                                 self.out / "forwarder.log", self.tree_file)
        self.forwarder.wait_ready()

    def stop_forwarder(self):
        status = self.forwarder.stop()
        if status != 0:
            raise Failure(f"rootspan-forwarder ended with status {status}, "
                          f"see {self.forwarder.log}")

    def boot(self, kind="q35", cmdline="", extra=()):
        """A running Machine, to be used as a context manager."""
        if self.disk:
            cmdline = f"root=/dev/vda ro {cmdline}"
            extra = ["-drive", f"file={self.disk},if=virtio,format=raw,snapshot=on", *extra]
        return Machine(kind, self.kernel, self.initrd, self.programs["vsockd"], self.uds, self.out,
                       cmdline, extra)

    def spans(self):
        return spans.read_file(self.trace_file)
