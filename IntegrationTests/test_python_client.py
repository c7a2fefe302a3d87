# SPDX-License-Identifier: Apache-2.0
"""A foreign Workload API client, which verifies what it is given, is served by the agent."""
import os
import queue
import subprocess
import sys

import pytest
from programs import ROOT, free_port, wait_for
from spiffe import TrustDomain, WorkloadApiClient
from spiffe.workloadapi.errors import FetchX509SvidError, ValidateJwtSvidError

PEERS = ROOT / "IntegrationTests" / "peers"


@pytest.fixture
def client(lab):
    with WorkloadApiClient(lab.agent.endpoint, default_timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def identity(lab):
    lab.server.entry("spiffe://example.org/py", None, None, "-dns", "py.example.org", "-hint", "py")
    lab.agent.wait_identity("spiffe://example.org/py")
    return "spiffe://example.org/py"


def test_x509_svids_and_bundles(client, identity):
    svid = next(s for s in client.fetch_x509_svids() if str(s.spiffe_id) == identity)
    assert svid.leaf.not_valid_after_utc > svid.leaf.not_valid_before_utc
    bundles = client.fetch_x509_bundles()
    authorities = bundles.get_bundle_for_trust_domain(TrustDomain("example.org")).x509_authorities
    assert len(authorities) == 1
    context = client.fetch_x509_context()
    assert identity in {str(s.spiffe_id) for s in context.x509_svids}


def test_jwt_svids_and_bundles(client, identity):
    from spiffe import SpiffeId
    svid = client.fetch_jwt_svid(audience={"a", "b"}, subject=SpiffeId(identity))
    assert str(svid.spiffe_id) == identity
    keys = client.fetch_jwt_bundles().get_bundle_for_trust_domain(TrustDomain("example.org")).jwt_authorities
    assert svid.token and len(keys) >= 1
    validated = client.validate_jwt_svid(svid.token, "a")
    assert str(validated.spiffe_id) == identity
    with pytest.raises(Exception) as refused:
        client.validate_jwt_svid(svid.token, "someone-else")
    assert "expected audience in" in str(refused.value)
    with pytest.raises(Exception):
        client.validate_jwt_svid(svid.token[:-6] + "AAAAAA", "a")


def test_an_open_stream_sees_new_identities_and_lost_ones(lab, client, identity):
    seen = queue.Queue()
    errors = queue.Queue()
    watch = client.stream_x509_contexts(seen.put, errors.put)
    try:
        first = seen.get(timeout=10)
        assert "spiffe://example.org/py-late" not in {str(s.spiffe_id) for s in first.x509_svids}
        entry = lab.server.entry("spiffe://example.org/py-late")

        def names(expected):
            context = seen.get(timeout=20)
            return expected({str(s.spiffe_id) for s in context.x509_svids})
        wait_for(lambda: names(lambda ids: "spiffe://example.org/py-late" in ids), "the new identity on the stream")
        lab.server("entry", "delete", "-entryID", entry)
        wait_for(lambda: names(lambda ids: "spiffe://example.org/py-late" not in ids), "the lost identity on the stream")
        assert errors.empty()
    finally:
        watch.cancel()


def test_an_open_stream_sees_a_rotation(make_server, make_agent):
    server = make_server(settings='ca_ttl = "10m"\n default_x509_svid_ttl = "20s"').start()
    agent = make_agent(server).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/rotating")
    agent.wait_identity("spiffe://example.org/rotating")
    with WorkloadApiClient(agent.endpoint) as client:
        seen = queue.Queue()
        watch = client.stream_x509_contexts(seen.put, lambda error: seen.put(error))
        serials = []
        while len(set(serials)) < 3:
            context = seen.get(timeout=30)
            assert not isinstance(context, Exception), context
            serials.append(context.default_svid.leaf.serial_number)
        watch.cancel()


def run_peer(name, lab, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, PEERS / name, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": lab.agent.endpoint}, **options)


def test_two_python_programs_do_mutual_tls(lab, make_server, make_agent):
    # One identity for the uid, so that both ends are it.
    server = make_server("pair").start()
    agent = make_agent(server, "pair-agent").start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/pair")
    agent.wait_identity("spiffe://example.org/pair")

    class Pair:
        pass
    pair = Pair()
    pair.agent = agent
    port = free_port()
    listener = run_peer("mtls_server.py", pair, port, "spiffe://example.org/pair", 1)
    assert listener.stdout.readline() == "listening\n", listener.communicate()
    client = run_peer("mtls_client.py", pair, port, "spiffe://example.org/pair")
    said, _ = client.communicate(timeout=30)
    assert "hello spiffe://example.org/pair, you said good day" in said
    assert "served spiffe://example.org/pair" in listener.communicate(timeout=30)[0]
    # The wrong name is refused.
    port = free_port()
    listener = run_peer("mtls_server.py", pair, port, "spiffe://example.org/somebody-else", 1)
    assert listener.stdout.readline() == "listening\n"
    client = run_peer("mtls_client.py", pair, port, "spiffe://example.org/pair")
    client.communicate(timeout=30)
    assert "refused" in listener.communicate(timeout=30)[0]


def test_a_process_without_an_entry_is_denied(make_server, make_agent):
    server = make_server("empty").start()
    agent = make_agent(server, "empty-agent").start(server.token("spiffe://example.org/node"))
    with WorkloadApiClient(agent.endpoint, default_timeout=10) as client:
        with pytest.raises(FetchX509SvidError) as denied:
            client.fetch_x509_svid()
        assert "no identity issued" in str(denied.value)
        with pytest.raises((ValidateJwtSvidError, Exception)):
            client.validate_jwt_svid("not.a.token", "x")
