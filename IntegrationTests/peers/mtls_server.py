# SPDX-License-Identifier: Apache-2.0
"""Serves one line over mutual TLS: says who it is talking to. Arguments: port, allowed SPIFFE ID, connections."""
import sys

from cryptography import x509
from OpenSSL import SSL
from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, ServerTlsMode, listen
from spiffetls.tlsconfig.authorize import authorize_id

port, allowed, connections = sys.argv[1], sys.argv[2], int(sys.argv[3])
with X509Source(timeout_in_seconds=20) as source:
    options = ListenOptions(tls_mode=ServerTlsMode.MTLS, authorize_fn=authorize_id(SpiffeId(allowed)), backlog=64)
    listener = listen(f"127.0.0.1:{port}", source, options)
    print("listening", flush=True)
    for _ in range(connections):
        connection, _ = listener.accept()
        try:
            connection.do_handshake()
            peer = connection.get_peer_certificate().to_cryptography()
            names = peer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
            line = connection.recv(1024).decode()
            connection.sendall(f"hello {uri}, you said {line}".encode())
            connection.shutdown()
            print(f"served {uri}", flush=True)
        except SSL.Error as error:
            print(f"refused {error}", flush=True)
        connection.close()
