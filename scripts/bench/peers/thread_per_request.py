# The plain design: a thread and an upstream connection for each request, which is read once.
# Must never be tuned: it shows what the design itself costs. Usage: thread_per_request.py PORT POLICY:PORT ...
import json
import socket
import sys
import threading

HOST = "127.0.0.1"
READ_BYTES = 2048
BACKLOG = 4096
TIMEOUT_S = 5


class Rotation:
    """The servers of each policy, which take turns."""

    def __init__(self, entries):
        self._lock = threading.Lock()
        self._next = {}
        self._ports = {}
        for entry in entries:
            policy, port = entry.split(":")
            self._ports.setdefault(policy, []).append(int(port))

    def pick(self, policy):
        with self._lock:
            ports = self._ports[policy]
            index = self._next.get(policy, 0)
            self._next[policy] = (index + 1) % len(ports)
            return ports[index]


def serve(client, rotation):
    with client:
        request = client.recv(READ_BYTES)
        if not request:
            return
        policy = str(json.loads(request)["privPoliId"])
        with socket.create_connection((HOST, rotation.pick(policy)), TIMEOUT_S) as server:
            server.sendall(request)
            client.sendall(server.recv(READ_BYTES))


def main():
    rotation = Rotation(sys.argv[2:])
    with socket.create_server((HOST, int(sys.argv[1])), backlog=BACKLOG) as listener:
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, rotation), daemon=True).start()


main()
