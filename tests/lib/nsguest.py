"""A guest without a VM: the real rootspan-init as PID 1 of namespaces (see tests/ns/ns-run.c).

Programs come from the environment, set by Meson: ROOTSPAN_INIT, ROOTSPAN_TRACER,
ROOTSPAN_FORWARDER, ROOTSPAN_NS_RUN, ROOTSPAN_AGENT.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import spans

BUSYBOX = "/bin/busybox"
APPLETS = "sh cat echo false grep id kill ls mkdir mkfifo mount ps sleep sync true".split()


def machine(*more):
    """What a guest must see for programs of this machine to run there: their libraries, and those
    directories in @more that are not among them."""
    return ["/usr", "/lib", "/lib64", *(str(path) for path in more
                                        if not str(path).startswith("/usr"))]


class Result:
    """What a guest left behind."""

    def __init__(self, how, console):
        self.how = how  # "poweroff", "reboot", "signal N" or "exit N"
        self.console = console
        self.last_line = console.rstrip("\n").rsplit("\n", 1)[-1]
        found = re.findall(r"^rootspan: end (.*)$", console, re.MULTILINE)
        self.end_lines = len(found)
        self.end = dict(word.split("=", 1) for word in found[-1].split()) if found else {}


def program(name):
    return os.environ["ROOTSPAN_" + name]


def shared_libraries(path):
    listing = subprocess.run(["ldd", path], capture_output=True, text=True)
    if listing.returncode != 0:
        return []
    return re.findall(r"(/\S+)", listing.stdout)


class Guest:
    """A root directory and the means to run rootspan-init in it. The guest sees the directories in
    @seen as they are on this machine, and cannot change them."""

    def __init__(self, seen=()):
        self.directory = tempfile.TemporaryDirectory(prefix="rootspan-ns-")
        self.top = pathlib.Path(self.directory.name)
        self.root = self.top / "root"
        for name in "bin dev etc/rootspan host proc root run sbin sys tmp".split():
            (self.root / name).mkdir(parents=True)
        os.chmod(self.top, 0o755)
        self.seen = seen
        shutil.copy(BUSYBOX, self.root / "bin")
        for applet in APPLETS:
            (self.root / "bin" / applet).symlink_to("busybox")
        self.install(program("AGENT"), "bin/agent")
        self.install(program("INIT"), "sbin/rootspan-init")
        self.install(program("TRACER"), "sbin/rootspan-tracer")
        self.forwarder = None
        self.trace_file = self.top / "trace.jsonl"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_forwarder()
        self.directory.cleanup()

    def install(self, source, target):
        """Copies a program into the guest, with its shared libraries if it has any."""
        shutil.copy(source, self.root / target)
        for library in shared_libraries(source):
            copy = self.root / library.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                shutil.copy(library, copy)

    def script(self, name, text):
        """Puts a shell script at /bin/NAME of the guest and returns its path there."""
        path = self.root / "bin" / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return "/bin/" + name

    def wrap_init(self, text):
        """Makes a shell script PID 1, which is to start the real init, /sbin/init now."""
        (self.root / "sbin/rootspan-init").rename(self.root / "sbin/init")
        (self.root / "sbin/rootspan-init").symlink_to(self.script("wrapper", text))

    def start_forwarder(self):
        """Starts rootspan-forwarder on a Unix socket of the guest; returns when it listens."""
        socket = self.root / "host" / "v.sock"
        self.forwarder = subprocess.Popen(
            [program("FORWARDER"), f"--socket-path={socket}", f"--file={self.trace_file}"],
            stderr=subprocess.PIPE, text=True)
        for line in self.forwarder.stderr:
            if "listening" in line:
                break
        else:
            raise AssertionError("rootspan-forwarder did not start")
        os.chmod(f"{socket}_10240", 0o777)
        return "rootspan.trace=static rootspan.trace_endpoint=unix:/host/v.sock_10240"

    def stop_forwarder(self):
        if self.forwarder:
            self.forwarder.terminate()
            self.forwarder.communicate(timeout=20)
            self.forwarder = None

    def spans(self):
        """All spans the forwarder wrote, as OTLP JSON objects in their order."""
        return spans.read_file(self.trace_file)

    def start(self, agent, cmdline="", environment=None):
        """Starts the guest; wait() is to follow."""
        command_line = self.top / "cmdline"
        command_line.write_text(f"console=ttyS0 {cmdline}\n")
        self.console_file = open(self.top / "console", "wb")
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        script = 'exec 3>&"$0"; exec "$@"'
        words = ["--", *agent] if agent else []
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", script, str(write_end), program("NS_RUN"),
             *(word for name in self.seen for word in ("--see", name)),
             str(self.root), str(command_line), "/sbin/rootspan-init", *words],
            stdin=subprocess.DEVNULL, stdout=self.console_file, stderr=subprocess.STDOUT,
            pass_fds=[write_end], env=environment or {})
        os.close(write_end)
        self.result_file = os.fdopen(read_end)

    def wait(self, timeout=30):
        """Waits for the guest's end, kills it if that does not come."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.console_file.close()
            raise AssertionError(f"the guest did not end within {timeout} s:\n{self.console()}")
        finally:
            how = self.result_file.read().strip().removeprefix("ns-run: ")
            self.result_file.close()
        self.console_file.close()
        return Result(how, self.console())

    def console(self):
        return (self.top / "console").read_text(errors="replace")

    def wait_for_console(self, text, timeout=20):
        """Waits until @text is on the console."""
        deadline = time.monotonic() + timeout
        while text not in self.console():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"no {text!r} on the console:\n{self.console()}")
            time.sleep(0.01)

    def run(self, agent, cmdline="", timeout=30, environment=None):
        self.start(agent, cmdline, environment)
        return self.wait(timeout)
