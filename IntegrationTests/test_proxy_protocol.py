# SPDX-License-Identifier: Apache-2.0
"""Clients behind a proxy that tells who they are: the audit log shows their addresses, not the proxy's."""
import re
import socket
import ssl
import struct

import pytest

from programs import wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BINARY = SIGNATURE + b"\x21\x11" + struct.pack("!H", 12) + bytes([203, 0, 113, 7, 127, 0, 0, 1]) + struct.pack("!HH", 4321, 8081)
HEADERS = {
    b"PROXY TCP4 203.0.113.7 127.0.0.1 4321 8081\r\n": "203.0.113.7:4321",
    b"PROXY TCP6 2001:db8::7 ::1 4321 8081\r\n": "[2001:db8::7]:4321",
    BINARY: "203.0.113.7:4321",
    b"": None,
}


def handshake(port, header, pieces=1):
    """Connects, sends the header in pieces, and shakes hands. - Returns: whether the server took part."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    step = max(1, -(-len(header) // pieces))
    for start in range(0, len(header), step):
        plain.sendall(header[start:start + step])
    try:
        tls = context.wrap_socket(plain)
    except (ssl.SSLError, ConnectionError):
        plain.close()
        return None
    return tls


def get_bundle(tls):
    """Sends GetBundle over a bare HTTP/2 connection."""
    def literal(name, value):
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
    block = b"".join(literal(name, value) for name, value in [
        (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/spire.api.server.bundle.v1.Bundle/GetBundle"),
        (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers")])
    def frame(kind, flags, stream, body):
        return struct.pack("!I", len(body))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + body
    tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block)
                + frame(0, 1, 1, b"\0\0\0\0\0"))
    tls.settimeout(10)
    tls.recv(65536)


@pytest.mark.parametrize("header", HEADERS, ids=["line", "line6", "binary", "none"])
@pytest.mark.parametrize("pieces", [1, 5])
def test_the_header_of_a_trusted_proxy_names_the_client(make_server, header, pieces):
    server = make_server(
        settings='audit_log_enabled = true\n    proxy_protocol_trusted_cidrs = ["127.0.0.0/8"]').start()
    tls = handshake(server.port, header, pieces)
    assert tls is not None
    get_bundle(tls)
    wanted = HEADERS[header] or r"127\.0\.0\.1:\d+"
    pattern = re.escape(wanted) if HEADERS[header] else wanted
    wait_for(lambda: re.search(rf'caller_addr="?{pattern}"? method=GetBundle', server.log()), f"a call from {wanted}")
    tls.close()


def test_a_header_from_anybody_else_ends_the_connection(make_server):
    server = make_server(settings='proxy_protocol_trusted_cidrs = ["10.0.0.0/8"]').start()
    assert handshake(server.port, b"PROXY TCP4 203.0.113.7 127.0.0.1 4321 8081\r\n") is None
    tls = handshake(server.port, b"")
    assert tls is not None
    tls.close()


def test_a_malformed_header_ends_the_connection(make_server):
    server = make_server(settings='proxy_protocol_trusted_cidrs = ["127.0.0.0/8"]').start()
    for header in [b"PROXY TCP4 1.2.3.4\r\n", b"PROXY " + b"x" * 200, SIGNATURE + b"\x31\x11\0\0"]:
        assert handshake(server.port, header) is None
    assert server.alive()
