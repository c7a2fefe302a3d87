# SPDX-License-Identifier: Apache-2.0
"""Where an agent gets its first trust bundle from, and what it does when that place will not give it."""
import base64
import datetime as dt
import http.server
import os
import shutil
import socket
import socketserver
import ssl
import threading
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from programs import wait_for


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with what the server's `answers` says, the last one for ever."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class OnSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


class OnPort(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


@pytest.fixture
def serving():
    running = []

    def serve(server, answers):
        server.asked, server.answers = [], list(answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server
    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("form", ["pem", "spiffe"])
def test_a_bundle_from_a_url_over_a_unix_socket(make_server, make_agent, serving, tmp_path, form):
    server = make_server().start()
    bundle = server("bundle", "show", "-format", form).stdout.encode()
    source = serving(OnSocket(str(tmp_path / "b.sock"), Answering), [(503, b"not yet"), (200, bundle)])
    agent = make_agent(server, bootstrap=f'''trust_bundle_url = "http://localhost/bundle?color=blue"
        trust_bundle_unix_socket = "{tmp_path / 'b.sock'}"
        trust_bundle_format = "{form}"''')
    agent.start(server.token("spiffe://example.org/node"))
    assert "error downloading trust bundle: 503" in agent.log()
    assert len(source.asked) == 2
    for count, (path, headers) in enumerate(source.asked):
        asked = urllib.parse.urlsplit(path)
        assert asked.path == "/bundle" and headers["Host"] == "localhost"
        query = urllib.parse.parse_qs(asked.query, strict_parsing=True)
        assert dt.datetime.fromisoformat(query.pop("spire-attest-start-time")[0].replace("Z", "+00:00"))
        attempts = int(query.pop("spire-connection-attempts")[0])
        assert query == {
            "color": ["blue"], "spire-attest-mode": ["bootstrap"], "spiffe-trust-domain": ["example.org"],
            "spire-server-address": ["127.0.0.1"], "spire-server-port": [str(server.port)]}
        if count:
            assert attempts == first + 1
        first = attempts


def test_a_socket_nobody_listens_on_is_named(make_server, make_agent, tmp_path):
    server = make_server().start()
    agent = make_agent(server, bootstrap=f'''trust_bundle_url = "http://localhost/bundle"
        trust_bundle_unix_socket = "{tmp_path / 'none.sock'}"''')
    agent.start(server.token(), wait=False)
    wait_for(lambda: "unable to fetch trust bundle URL http://localhost/bundle" in agent.log(), "the complaint")
    assert server("agent", "count").stdout == "0 attested agents\n"


def authority(folder, name):
    """A web authority and a certificate of `name` under it: the authority's PEM file and the server's."""
    now = dt.datetime.now(dt.timezone.utc)

    def certificate(common, public, issuer, key, is_ca, names=()):
        build = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]))
                 .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])).public_key(public)
                 .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(minutes=1))
                 .not_valid_after(now + dt.timedelta(hours=1)).add_extension(x509.BasicConstraints(is_ca, None), True))
        if names:
            build = build.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        return build.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (folder / "web-ca.pem").write_bytes(certificate("web", root.public_key(), "web", root, True))
    (folder / "web.pem").write_bytes(
        leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate(name, leaf.public_key(), "web", root, False, [name]))
    return folder / "web-ca.pem", folder / "web.pem"


class Tunnelling(http.server.BaseHTTPRequestHandler):
    """A proxy that tunnels every host to one port; refuses first, and whoever does not say the password."""

    def do_CONNECT(self):
        self.server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        if self.server.answers:
            return self.send_error(self.server.answers.pop(0))
        with socket.create_connection(("127.0.0.1", self.server.target)) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(upstream, self.connection), daemon=True)
            back.start()
            self.copy(self.connection, upstream)
            back.join(5)
        self.close_connection = True

    @staticmethod
    def copy(source, sink):
        try:
            while True:
                part = source.recv(65536)
                if not part:
                    break
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def log_message(self, *arguments):
        pass


def test_a_bundle_from_a_url_through_a_proxy(make_server, make_agent, serving, tmp_path):
    """The host's name means nothing here: only the proxy reaches it."""
    trusted = "/etc/ssl/certs/ca-certificates.crt"
    if os.getuid() != 0 or not shutil.which("unshare") or not os.path.exists(trusted):
        pytest.skip("needs root, to have the agent see another file of system authorities")
    server = make_server().start()
    ca, identity = authority(tmp_path, "bundles.test")
    web = OnPort(("127.0.0.1", 0), Answering)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    serving(web, [(200, server("bundle", "show").stdout.encode())])
    proxy = serving(OnPort(("127.0.0.1", 0), Tunnelling), [407])
    proxy.target = web.server_address[1]
    agent = make_agent(server, bootstrap='trust_bundle_url = "https://bundles.test/bundle.pem"')
    agent.start(
        server.token("spiffe://example.org/node"),
        env={"HTTPS_PROXY": f"http://user:pass%3Aword@127.0.0.1:{proxy.server_address[1]}", "NO_PROXY": "other.test"},
        prefix=["unshare", "-m", "sh", "-c", f'mount --bind {ca} {trusted} && exec "$@"', "sh"])
    assert "the proxy refused: HTTP/1.0 407" in agent.log()
    assert "pass:word" not in agent.log() and "pass%3A" not in agent.log()
    password = "Basic " + base64.b64encode(b"user:pass:word").decode()
    assert proxy.asked == [("bundles.test:443", password)] * 2
    assert [path for path, _ in web.asked] == ["/bundle.pem"]
