"""The real rootspan-tracer between a link and a fake host on a Unix socket."""

import os
import queue
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import link
import otlp_decode

TRACER = os.environ["ROOTSPAN_TRACER"]
PATIENCE = 20  # seconds until a wait counts as hanging
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n\x0a\x00"
TRACE_ID = bytes(range(1, 17))
ROOT_ID = b"rootspan"


def status(code, *fields):
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *fields, "", ""]
    return "\r\n".join(lines).encode()


def span_id(number):
    return number.to_bytes(8, "big")


class Host:
    """A host that reads each request whole and gives the next of @answers; the last one serves
    for all that follow. An answer is bytes to send, or None: nothing, ever. After an answer with
    Connection: close, it closes."""

    def __init__(self, path, *answers):
        self.answers = list(answers)
        self.decode = otlp_decode.spans
        self.requests = queue.Queue()
        self.connections = 0
        self.open = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path + ".new")
        os.chmod(path + ".new", 0o666)  # the tracer is another user when the tests run as root
        self.listener.listen()
        os.rename(path + ".new", path)  # all at once, for a tracer that is trying already
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self.serve_connection, args=(connection,), daemon=True).start()

    def serve_connection(self, connection):
        try:
            self.answer_requests(connection)
        except OSError:
            pass

    def answer_requests(self, connection):
        stream = connection.makefile("rb")
        while True:
            head = {}
            first = stream.readline()
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, value = line.decode().split(":", 1)
                head[name.lower()] = value.strip()
            if not first:
                return
            body = stream.read(int(head["content-length"]))
            self.requests.put((first.decode().strip(), head, self.decode(body)))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is not None:
                connection.sendall(answer)
                if b"Connection: close" in answer:
                    connection.shutdown(socket.SHUT_RDWR)
                    return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(PATIENCE)
        for connection in self.open:
            connection.close()
        self.listener.close()


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="rootspan-tracer-")
        self.addCleanup(directory.cleanup)
        os.chmod(directory.name, 0o755)
        self.path = directory.name + "/host"
        self.resource = {"service.name": "test", "host.cpus": 4, "guest": True}

    def start_host(self, *answers):
        host = Host(self.path, *(answers or (OK,)))
        self.addCleanup(host.close)
        return host

    def start_tracer(self, endpoint=None, listeners=(), preexec=None, **trace):
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.link.close)
        self.link.settimeout(PATIENCE)
        self.tracer = subprocess.Popen(
            [TRACER, f"--link-fd={theirs.fileno()}",
             f"--endpoint={endpoint or 'unix:' + self.path}",
             *(f"--listen-fd={listener.fileno()}" for listener in listeners)],
            pass_fds=[theirs.fileno(), *(listener.fileno() for listener in listeners)],
            stderr=subprocess.PIPE, preexec_fn=preexec)
        theirs.close()
        self.addCleanup(self.end_tracer)
        self.link.send(link.trace_record(TRACE_ID, self.resource, **trace))

    def end_tracer(self):
        if self.tracer.poll() is None:
            self.tracer.kill()
        self.tracer.communicate()

    def send_spans(self, numbers):
        for number in numbers:
            self.link.send(link.span_record(span_id(number), f"span {number}", parent=ROOT_ID))

    def flush(self, seconds):
        deadline = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(seconds * 1e9)
        self.link.send(link.flush_record(deadline, ROOT_ID, "guest", kind=2, status=2,
                                         message="exit code 7", attrs={"process.exit.code": 7}))

    def receive(self):
        return link.decode(self.link.recv(65536))

    def receive_until(self, kind):
        """The records up to the first of type @kind, that one last."""
        records = [self.receive()]
        while records[-1][0] != kind:
            records.append(self.receive())
        return records

    def finish(self):
        """Closes the link as init does; returns the exit status and what was logged."""
        self.link.close()
        try:
            _, log = self.tracer.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.fail("the tracer did not end with its link")
        return self.tracer.returncode, log.decode()

    def requests(self, host):
        """All requests so far, each a list of spans."""
        found = []
        while not host.requests.empty():
            found.append(host.requests.get()[2])
        return found
