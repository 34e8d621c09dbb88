"""An OTLP/HTTP receiver on a Unix socket that acknowledges and keeps all it gets. It stands for a
stock collector: it knows nothing of rootspan."""

import http.server
import socketserver
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v1/traces"
        if known:
            with self.server.changed:
                self.server.requests.append((dict(self.headers), body))
                self.server.changed.notify_all()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self):
        return "guest"

    def log_message(self, *_):
        pass


class Collector(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves from its making until the end of its with-block."""

    daemon_threads = True

    def __init__(self, path, handler=Handler):
        super().__init__(str(path), handler)
        self.changed = threading.Condition()
        self.requests = []  # (headers, body), in their order
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()
