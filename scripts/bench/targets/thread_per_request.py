# The original's design: a thread and an upstream connection for each request, which is read once. Not tuned: it shows
# what the design itself costs. Usage: thread_per_request.py PORT POLICY:HOST:PORT ...
import itertools
import json
import socket
import sys
import threading

READ_BYTES = 2048
TIMEOUT_S = 5


def serve(client, rotations):
    with client:
        request = client.recv(READ_BYTES)
        if not request:
            return
        address = next(rotations[str(json.loads(request)["privPoliId"])])
        with socket.create_connection(address, TIMEOUT_S) as server:
            server.sendall(request)
            client.sendall(server.recv(READ_BYTES))


servers = {}
for entry in sys.argv[2:]:
    policy, host, port = entry.split(":")
    servers.setdefault(policy, []).append((host, int(port)))
# To take the next one of a cycle is a single step for the interpreter, which no other thread can interrupt.
rotations = {policy: itertools.cycle(addresses) for policy, addresses in servers.items()}
with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as listener:
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, rotations), daemon=True).start()
