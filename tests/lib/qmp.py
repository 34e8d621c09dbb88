"""QEMU's monitor for programs (QMP): commands, and the events that tell what becomes of the VM."""

import json

SECONDS = 60  # for any answer


class Monitor:
    """The far end of a QMP chardev, which it owns. Events are kept until they are asked for."""

    def __init__(self, socket):
        socket.settimeout(SECONDS)
        self.socket = socket
        self.stream = socket.makefile("r")
        self.events = []

    def next_message(self):
        """None when QEMU has ended."""
        try:
            line = self.stream.readline()
        except ConnectionResetError:
            line = ""
        return json.loads(line) if line else None

    def next_answer(self, key):
        """The next message that has @key; notes the events on the way."""
        while (message := self.next_message()) is not None:
            if key in message:
                return message[key]
            if "error" in message:
                break
            self.events.append(message)
        raise AssertionError(f"QMP: no {key} but {message}")

    def prepare(self):
        """Before this, QEMU takes no commands and tells no events."""
        self.next_answer("QMP")
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        return self.next_answer("return")

    def wait_event(self, name):
        """What the first event of this name says, or None if QEMU ends without one."""
        while True:
            for event in self.events:
                if event["event"] == name:
                    return event.get("data", {})
            message = self.next_message()
            if message is None:
                return None
            self.events.append(message)

    def close(self):
        self.stream.close()
        self.socket.close()
