# SPDX-License-Identifier: Apache-2.0
"""`require_pq_kem`: only the post-quantum key exchange is offered and accepted, as foreign TLS libraries see it."""
import socket
import struct

import pytest
from OpenSSL import SSL

from programs import SYNC_EVERY_SECOND, free_port, openssl, wait_for

PQ = "experimental { require_pq_kem = true }"
GROUP = 0x11EC  # X25519MLKEM768


def group_of(port):
    """The key exchange that OpenSSL, which knows both kinds, agrees on."""
    context = SSL.Context(SSL.TLS_METHOD)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_connect_state()
        connection.do_handshake()
        return connection.get_group_name()


def classic(port):
    """Whether a client that knows no post-quantum key exchange, and only it, is let in."""
    return "BEGIN CERTIFICATE" in openssl(
        "s_client", "-connect", f"127.0.0.1:{port}", "-groups", "X25519:P-256", "-alpn", "h2", input="").stdout


def test_a_server_that_requires_it_speaks_nothing_else(make_server, make_agent, tmp_path):
    bundle, metrics = free_port(), free_port()
    server = make_server(settings=PQ + f'''
        federation {{ bundle_endpoint {{ address = "127.0.0.1" port = {bundle} profile "https_spiffe" {{}} }} }}''')
    server.config.write_text(server.config.read_text() + f'''
        telemetry {{ Prometheus {{ port = {metrics} tls {{ use_spire_svid = true }} }} }}''')
    server.start()
    wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", metrics)) == 0, "the metrics page")
    for port in [server.port, bundle, metrics]:
        assert group_of(port) == "X25519MLKEM768"
        assert not classic(port), port
        tls12 = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", input="")
        assert "BEGIN CERTIFICATE" not in tls12.stdout
    agent = make_agent(server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/w")
    agent.wait_identity("spiffe://example.org/w")


def test_without_it_both_kinds_of_clients_are_served(make_server):
    server = make_server().start()
    assert group_of(server.port) == "X25519MLKEM768"
    assert classic(server.port)


def groups_offered(hello):
    """The supported groups of a ClientHello, and those it sends key shares for; greased values left out."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack_from(">H", hello, at)[0]
    at += 1 + hello[at]
    end = at + 2 + struct.unpack_from(">H", hello, at)[0]
    at += 2
    groups, shares, versions = [], [], []
    while at < end:
        kind, size = struct.unpack_from(">HH", hello, at)
        body = hello[at + 4:at + 4 + size]
        at += 4 + size
        if kind == 10:
            groups = [struct.unpack_from(">H", body, i)[0] for i in range(2, size, 2)]
        elif kind == 43:
            versions = [struct.unpack_from(">H", body, i)[0] for i in range(1, size, 2)]
        elif kind == 51:
            i = 2
            while i < size:
                group, length = struct.unpack_from(">HH", body, i)
                shares.append(group)
                i += 4 + length
    def plain(values):
        return [value for value in values if value & 0x0F0F != 0x0A0A]
    return plain(groups), plain(shares), plain(versions)


@pytest.mark.parametrize("settings, groups", [(PQ, [GROUP]), ("", None)])
def test_an_agent_that_requires_it_offers_nothing_else(make_server, make_agent, settings, groups):
    server = make_server().start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        agent = make_agent(server, settings=settings, address=listener.getsockname())
        agent.start(server.token("spiffe://example.org/node"), wait=False)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            hello = b""
            while len(hello) < 5 or len(hello) < 5 + struct.unpack_from(">H", hello, 3)[0]:
                piece = connection.recv(65536)
                assert piece, "the agent hung up"
                hello += piece
    offered, shares, versions = groups_offered(hello)
    if groups:
        assert offered == groups and shares == groups and versions == [0x0304]
    else:
        assert GROUP in offered and len(offered) > 1 and 0x0303 in versions
