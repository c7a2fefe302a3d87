# SPDX-License-Identifier: Apache-2.0
"""What is issued has the fields, order and encodings of what the original issued, as openssl reads both."""
import base64
import json
import re

import pytest
from programs import SYNC_EVERY_SECOND, openssl


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """One of each kind, made as the samples were; the name is that of the sample's file."""
    from programs import Agent, Server
    folder = tmp_path_factory.mktemp("issued")
    server = Server(folder / "server").start()
    agent = Agent(folder / "agent", server, settings=SYNC_EVERY_SECOND).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/web", None, None, "-dns", "web.example.org", "-hint", "internal")
    agent.wait_identity("spiffe://example.org/web")
    out = folder / "out"
    out.mkdir()
    agent("api", "fetch", "x509", "-write", out)
    made = {"svid.0.pem": (out / "svid.0.pem").read_text(), "bundle.0.pem": (out / "bundle.0.pem").read_text()}
    stored = json.loads((agent.folder / "data" / "agent-data.json").read_text())
    made["agent.pem"] = base64.b64decode(stored["svid"][0]).decode()
    shown = openssl("s_client", "-connect", f"127.0.0.1:{server.port}", "-alpn", "h2", input="").stdout
    made["server.pem"] = shown[shown.index("-----BEGIN"):shown.index("-----END CERTIFICATE-----") + 26]
    made["jwt"] = json.loads(agent("api", "fetch", "jwt", "-audience", "svc-a,svc-b", "-output", "json").stdout)
    made["bundle"] = agent("api", "fetch", "jwt", "-audience", "svc-a").stdout.split("bundle(spiffe://example.org):\n\t")[1]
    yield made
    agent.stop()
    server.stop()


KINDS = ["svid.0.pem", "bundle.0.pem", "agent.pem", "server.pem"]


def text(pem):
    """The readable form, without what differs from one certificate to the next."""
    out = openssl("x509", "-noout", "-text", input=pem).stdout
    out = re.sub(r"(?<=[\s:])(?:[0-9a-fA-F]{2}:){3,}[0-9a-fA-F]{0,2}", "<bytes>", out)
    out = re.sub(r"<bytes>(?:\s+<bytes>)+", "<bytes>", out)
    out = re.sub(r"serialNumber = \d+", "serialNumber = <number>", out)
    out = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", out)
    out = re.sub(r"(Not (?:Before|After ?)) ?: .*", r"\1: <time>", out)
    return [line.rstrip() for line in out.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_read_the_same(samples, issued, kind):
    assert text(issued[kind]) == text((samples / "issued" / kind).read_text())


def structure(pem):
    """Every element: depth, kind and, where it is no name, time, number or key of this one certificate, its value."""
    elements, last = [], ""
    for line in openssl("asn1parse", input=pem).stdout.splitlines():
        depth, kind, rest = re.fullmatch(r"\s*\d+:d=(\d+)\s+hl=\d+\s+l=\s*\d+\s+(cons|prim): (.*)", line).groups()
        name, _, value = rest.partition(":")
        name = name.strip()
        if name == "OBJECT":
            last = value
        if name == "INTEGER" and len(value) > 8 or name in ("UTCTIME", "GENERALIZEDTIME", "BIT STRING"):
            value = ""
        if name == "PRINTABLESTRING" and re.fullmatch(r"\d+", value):
            value = "<number>"
        if "OCTET STRING" in name and last in ("X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier",
                                               "X509v3 Subject Alternative Name"):
            value = ""
        elements.append((int(depth), kind, name, value))
    return elements


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_are_encoded_the_same(samples, issued, kind):
    assert structure(issued[kind]) == structure((samples / "issued" / kind).read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_validity_begins_a_little_before_and_the_serial_number_is_long(issued, kind):
    dates = openssl("x509", "-noout", "-startdate", "-serial", input=issued[kind]).stdout
    assert len(re.search(r"serial=([0-9A-F]+)", dates).group(1)) >= 24


def test_tokens_have_the_same_fields_in_the_same_order(samples, issued):
    theirs = re.search(r"^\t(eyJ\S+)", (samples / "issued" / "jwt.txt").read_text(), re.M).group(1)
    ours = issued["jwt"][0]["svids"][0]["svid"]

    def decoded(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    def shape(token):
        header, claims, signature = token.split(".")
        masked = [re.sub(rb'"kid":"\w{32}"', b'"kid":"<kid>"', decoded(header)),
                  re.sub(rb'"(exp|iat)":\d{10}', rb'"\1":<time>', decoded(claims))]
        return masked, len(decoded(signature))
    assert shape(ours) == shape(theirs)
    claims = json.loads(decoded(ours.split(".")[1]))
    assert claims["exp"] - claims["iat"] == 300


def test_the_published_keys_have_the_same_layout(samples, issued):
    theirs = (samples / "issued" / "jwt.txt").read_text().split("bundle(spiffe://example.org):\n\t")[1].split("\nbundle(")[0]

    def masked(document):
        return re.sub(r'"(kid|x|y)": "[\w-]+"', r'"\1": "<value>"', document.strip())
    assert masked(issued["bundle"]) == masked(theirs)
