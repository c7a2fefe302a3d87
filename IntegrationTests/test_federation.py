# SPDX-License-Identifier: Apache-2.0
"""Two real servers that federate, and foreign HTTPS clients of the bundle endpoint."""
import json
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from programs import free_port, wait_for


def endpoint(port, profile):
    return f"""federation {{
        bundle_endpoint {{
            address = "127.0.0.1"
            port = {port}
            refresh_hint = "10m"
            profile {profile}
        }}
    }}"""


def web_certificate(folder):
    """A self-signed web certificate for 127.0.0.1 and localhost."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", folder / "web.key", "-out", folder / "web.pem"], check=True, capture_output=True)
    return folder / "web.pem", folder / "web.key"


def federated_roots(server, trust_domain):
    listed = json.loads(server.command("bundle", "list", "-socketPath", server.socket, "-output", "json").stdout)
    for bundle in listed["bundles"]:
        if bundle["trust_domain"] == trust_domain:
            return {authority["asn1"] for authority in bundle["x509_authorities"]}
    return None


def own_roots(server):
    shown = json.loads(server.command("bundle", "show", "-socketPath", server.socket, "-output", "json").stdout)
    return {authority["asn1"] for authority in shown["x509_authorities"]}


def test_servers_exchange_bundles_over_https_spiffe(make_server):
    port = free_port()
    one = make_server("one", trust_domain="one.test", settings=endpoint(port, '"https_spiffe" {}')).start()
    two = make_server("two", trust_domain="two.test").start()
    document = one.command("bundle", "show", "-socketPath", one.socket, "-format", "spiffe").stdout
    created = two.command(
        "federation", "create", "-socketPath", two.socket, "-trustDomain", "one.test", "-bundleEndpointURL",
        f"https://127.0.0.1:{port}/", "-bundleEndpointProfile", "https_spiffe", "-endpointSpiffeID",
        "spiffe://one.test/spire/server", check=True)
    assert "Trust domain              : one.test" in created.stdout
    # Nothing to authenticate the endpoint with yet.
    refused = two.command("federation", "refresh", "-socketPath", two.socket, "-id", "one.test", check=False)
    assert refused.returncode == 1
    assert "can't perform SPIFFE Authentication: local copy of bundle not found" in refused.stderr
    two.command("bundle", "set", "-socketPath", two.socket, "-id", "one.test", "-format", "spiffe", input=document)
    refreshed = two.command("federation", "refresh", "-socketPath", two.socket, "-id", "one.test")
    assert refreshed.stdout == "Bundle refreshed\n"
    assert federated_roots(two, "one.test") == own_roots(one)
    # A new authority of the first server reaches the second by the endpoint alone.
    one.command("localauthority", "x509", "prepare", "-socketPath", one.socket)
    assert len(own_roots(one)) == 2
    wait_for(
        lambda: two.command("federation", "refresh", "-socketPath", two.socket, "-id", "one.test", check=False).returncode == 0
        and federated_roots(two, "one.test") == own_roots(one), "the second root")
    two.command("federation", "delete", "-socketPath", two.socket, "-id", "one.test")
    gone = two.command("federation", "refresh", "-socketPath", two.socket, "-id", "one.test", check=False)
    assert gone.stderr == 'Error: there is no federation relationship with trust domain "one.test"\n'


def test_configured_relationship_is_polled_over_https_web(make_server, tmp_path):
    certificate, key = web_certificate(tmp_path)
    port = free_port()
    profile = f"""\"https_web\" {{
                serving_cert_file {{ cert_file_path = "{certificate}" key_file_path = "{key}" file_sync_interval = "1s" }}
            }}"""
    one = make_server("one", trust_domain="one.test", settings=endpoint(port, profile)).start()
    two = make_server("two", trust_domain="two.test", settings=f"""federation {{
        federates_with "one.test" {{
            bundle_endpoint_url = "https://127.0.0.1:{port}"
            bundle_endpoint_profile "https_web" {{}}
        }}
    }}""")
    two.start(env={"SSL_CERT_FILE": str(certificate)})
    wait_for(lambda: federated_roots(two, "one.test") == own_roots(one), "the first bundle")

    # A client that knows nothing of SPIFFE verifies the certificate and reads the document.
    trusted = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(f"https://localhost:{port}/", context=trusted) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        document = json.load(answer)
    assert [key["use"] for key in document["keys"]] == ["x509-svid", "jwt-svid"]
    assert document["spiffe_refresh_hint"] == 600
    for path, method, status in [("/x", "GET", 404), ("/", "POST", 405)]:
        request = urllib.request.Request(f"https://localhost:{port}{path}", method=method, data=b"" if method == "POST" else None)
        try:
            urllib.request.urlopen(request, context=trusted)
            raise AssertionError(f"{method} {path} was answered with success")
        except urllib.error.HTTPError as error:
            assert error.code == status

    # A replaced certificate file is served without a restart.
    web_certificate(tmp_path)

    def serves_the_new_one():
        try:
            urllib.request.urlopen(
                f"https://localhost:{port}/", context=ssl.create_default_context(cafile=certificate)).close()
            return True
        except urllib.error.URLError:
            return False
    wait_for(serves_the_new_one, "the new certificate")


def peer(answer, certificate=None, maximum=ssl.TLSVersion.TLSv1_3):
    """Answers everybody who connects with the same bytes. Returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = maximum
        context.load_cert_chain(*certificate)

    def serve(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            connection.recv(4096)
            connection.sendall(answer)
            if not context:
                # Whoever closes with bytes unread takes the answer back.
                connection.recv(4096)
            connection.close()
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def test_an_endpoint_that_cannot_be_used_is_told_of_in_words(make_server, tmp_path):
    trusted = web_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    unknown = web_certificate(tmp_path / "other")
    server = make_server().start(env={"SSL_CERT_FILE": str(trusted[0])})
    cases = {
        "closed": (free_port(), "connect: connection refused"),
        "unknown": (peer(b"x", unknown), "tls: failed to verify certificate: it is expired, for another name or of an unknown authority"),
        "plain": (peer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls: first record does not look like a TLS handshake"),
        "short": (peer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", trusted), None),
        "garbage": (peer(b"hello\r\n", trusted), None),
        "status": (peer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", trusted), "unexpected status 404 fetching bundle"),
    }
    for name, (port, words) in cases.items():
        server("federation", "create", "-trustDomain", f"{name}.test", "-bundleEndpointURL", f"https://localhost:{port}/b",
               "-bundleEndpointProfile", "https_web")
        refused = server("federation", "refresh", "-id", f"{name}.test", check=False)
        assert refused.returncode == 1
        assert (words or f'Get "https://localhost:{port}/b": ') in refused.stderr, refused.stderr
        for word in ("Error.", "Error(", "NIO", "SSL.", ".cc", ".swift", "Failure("):
            assert word not in refused.stderr, refused.stderr


def test_an_endpoint_that_shows_the_wrong_identity_is_told_of_with_the_reason(make_server, tmp_path):
    web = web_certificate(tmp_path)
    port = free_port()
    one = make_server("one", trust_domain="one.test", settings=endpoint(port, '"https_spiffe" {}')).start()
    stranger = make_server("stranger", trust_domain="one.test").start()
    two = make_server("two", trust_domain="two.test").start()

    def document(server):
        return server("bundle", "show", "-format", "spiffe").stdout

    cases = [
        ("wrong ID", "spiffe://one.test/another", document(one), port, 'unexpected ID "spiffe://one.test/spire/server"'),
        ("unknown authority", "spiffe://one.test/spire/server", document(stranger), port,
         "could not verify leaf certificate: x509: certificate signed by unknown authority"),
    ]
    # A web server, with another library's TLS of either version.
    cases += [
        (str(version), "spiffe://one.test/spire/server", document(one), peer(b"", web, version),
         "cannot get leaf certificate SPIFFE ID: certificate contains no URI SAN")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    ]
    for name, identity, known, port, reason in cases:
        two("bundle", "set", "-id", "one.test", "-format", "spiffe", input=known)
        two("federation", "create", "-trustDomain", "one.test", "-bundleEndpointURL", f"https://127.0.0.1:{port}/",
            "-bundleEndpointProfile", "https_spiffe", "-endpointSpiffeID", identity)
        words = f'failed to fetch bundle: Get "https://127.0.0.1:{port}/": {reason}'
        refused = two("federation", "refresh", "-id", "one.test", check=False)
        assert refused.returncode == 1 and words in refused.stderr, (name, refused.stderr)
        # The server asks on its own too, and nobody but its log hears of it.
        logged = words.replace('"', '\\"')
        wait_for(lambda: any("Error updating bundle" in line and logged in line for line in two.log().splitlines()), name)
        two("federation", "delete", "-id", "one.test")


def test_certificate_files_that_are_missing_stop_the_start(make_server, tmp_path):
    profile = f"""\"https_web\" {{
                serving_cert_file {{ cert_file_path = "{tmp_path}/none.pem" key_file_path = "{tmp_path}/none.key" file_sync_interval = "1h" }}
            }}"""
    server = make_server("one", trust_domain="one.test", settings=endpoint(free_port(), profile))
    server.launch("run", "-config", server.config)
    assert server.process.wait(20) == 1
    assert f"there is no file {tmp_path}/none.pem" in server.log()
