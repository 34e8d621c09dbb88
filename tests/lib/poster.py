"""An agent that hands in spans as its environment says, from many processes at once:

    poster.py CLIENTS REQUESTS SPANS PADDING TRIES

Each of CLIENTS sends REQUESTS requests of SPANS spans with PADDING bytes each, over one connection,
and sends a request that was put off again, as SDKs do, up to TRIES times. Span ids count from 1 over
all. What each request was answered at last goes to /host/answers-CLIENT, a line "FIRST-ID COUNT
STATUS" each. The last line of output tells how much memory the tracer ever took.
"""

import http.client
import os
import pathlib
import sys
import time
import urllib.parse

import otlp

PUT_OFF = (429, 503)


def read_answers(directory):
    """What the clients were answered, as sets of span ids by status."""
    ids = {}
    for path in pathlib.Path(directory).glob("answers-*"):
        for line in path.read_text().splitlines():
            first, count, status = map(int, line.split())
            ids.setdefault(status, set()).update(range(first, first + count))
    return ids


def post(connection, headers, body, tries):
    for _ in range(tries):
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in PUT_OFF:
            break
        if tries > 1:
            time.sleep(int(answer.headers["Retry-After"]))
    return answer.status


def run_client(client, requests, spans, padding, tries):
    endpoint = urllib.parse.urlsplit(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
    key, value = os.environ["OTEL_EXPORTER_OTLP_HEADERS"].split("=", 1)
    headers = {key: urllib.parse.unquote(value), "Content-Type": "application/x-protobuf"}
    values = {"padding": "x" * padding} if padding else {}
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port)
    with open(f"/host/answers-{client}", "w", encoding="ascii") as answers:
        for request in range(requests):
            first = 1 + (client * requests + request) * spans
            body = otlp.request(*(otlp.span(number, "posted", 0, 1, values=values)
                                  for number in range(first, first + spans)))
            answers.write(f"{first} {spans} {post(connection, headers, body, tries)}\n")


def tracer_memory():
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if fields["Name"].strip() == "rootspan-tracer":
            return int(fields["VmHWM"].split()[0])
    return 0


def main():
    clients, *rest = map(int, sys.argv[1:])
    for client in range(clients):
        if os.fork() == 0:
            run_client(client, *rest)
            sys.exit()
    failed = sum(os.wait()[1] != 0 for _ in range(clients))
    print(f"tracer's memory: {tracer_memory()} kB", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
