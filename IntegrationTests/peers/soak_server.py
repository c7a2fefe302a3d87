# SPDX-License-Identifier: Apache-2.0
"""Answers one line over mutual TLS until it is ended, one thread a connection. Arguments: port, the client's SPIFFE ID."""
import socket
import ssl
import sys
import threading

from fresh import Contexts, identity
from spiffe import X509Source

port, allowed = int(sys.argv[1]), sys.argv[2]
contexts = Contexts(X509Source(timeout_in_seconds=20), ssl.PROTOCOL_TLS_SERVER)
contexts.current()


def serve(plain):
    try:
        with contexts.current()[0].wrap_socket(plain, server_side=True) as connection:
            name = identity(connection)
            assert name == allowed, name
            connection.sendall(b"hello " + name.encode() + b", you said " + connection.recv(64))
    except (OSError, AssertionError) as error:
        print(f"refused {error}", flush=True)


listener = socket.create_server(("127.0.0.1", port), backlog=128)
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
