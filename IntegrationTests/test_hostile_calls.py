# SPDX-License-Identifier: Apache-2.0
"""Every method, every field of its request, every way in which the field can be wrong; on the server's own sockets."""
import concurrent.futures
import re
import time

import grpc
import pytest

from calls import Api, Caller, TLSGateway, attested_agent, minted, signing_request
from programs import Server, openssl
from spoiling import MEGABYTE, fields, spoiled, wire

Code = grpc.StatusCode
DOMAIN = "example.org"
# What refused input is answered with. Internal is the original's answer where the reference says so: see INTERNAL.
REFUSALS = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED,
            Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED}
INTERNAL = [
    r"grpc: error unmarshalling request: ",
    r"failed to list (agents|entries|bundles|federated bundles|federation relationships): could not parse token",
    r"failed to (count|list) agents: cannot list by empty selectors set",
    r"failed to update federation relationship: datastore-sql: record not found",
    r"failed to create token: ", r"failed to create federation relationship: ", r"failed to refresh bundle: ",
    r"caller is not a downstream workload",
]
# Words of the program instead of words for people: type names, source files, addresses, options.
PROGRAM_WORDS = re.compile(r"[A-Z]\w*Error\b|Optional\(|\.swift\b|Swift\.|fatal|0x[0-9a-f]{8,}|SQLite")
# The longest answer: what a caller sent may be quoted, but not a megabyte of it.
LONGEST = 8192

AGENT = {"Agent.RenewAgent", "Agent.PostStatus", "Entry.GetAuthorizedEntries", "Entry.SyncAuthorizedEntries",
         "EntryPush.StreamAuthorizedEntries", "SVID.BatchNewX509SVID", "SVID.NewJWTSVID", "SVID.BatchNewWITSVID"}
DOWNSTREAM = {"SVID.NewDownstreamX509CA", "Bundle.PublishJWTAuthority", "Bundle.PublishWITAuthority"}
# Streams that wait for more than their first message, and the answers to messages without fields.
WATCHES = {"Health.Watch", "EntryPush.StreamAuthorizedEntries"}
READERS = ("Entry.ListEntries", "Agent.ListAgents", "Bundle.GetBundle", "Bundle.ListFederatedBundles",
           "TrustDomain.ListFederationRelationships", "Logger.GetLogger")
READS = re.compile(r"\.(Count|List|Get|Mint|Explain|Check)")
API = Api()
METHODS = sorted(name for name in API.methods if name not in WATCHES)


class World:
    """A server with an entry, an agent, a bundle, a relationship; a caller of each kind."""

    def __init__(self, folder):
        self.server = Server(folder / "server", settings="ratelimit { attestation = false signing = false }").start()
        self.local = Caller(API, f"unix:{self.server.socket}")
        self.gateways = []
        self.callers = {}
        self.ca = folder / "foreign.pem"
        made = openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                       folder / "foreign.key", "-out", self.ca, "-days", "30", "-subj", "/O=Foreign", "-addext",
                       "subjectAltName=URI:spiffe://other.org")
        assert made.returncode == 0, made.stderr
        self.server("bundle", "set", "-id", "spiffe://other.org", "-path", self.ca)
        self.server("federation", "create", "-trustDomain", "third.org", "-bundleEndpointURL", "https://127.0.0.1:1/b",
                    "-bundleEndpointProfile", "https_web")
        anonymous = self.caller(folder / "a")
        self.callers["agent"] = self.caller(folder / "g", *attested_agent(anonymous, self.server.token("spiffe://example.org/node")))
        self.entry = self.server.entry("spiffe://example.org/web")
        self.server.entry("spiffe://example.org/below", None, None, "-downstream")
        self.callers["downstream"] = self.caller(folder / "d", *minted(self.local, "spiffe://example.org/below"))
        self.anonymous = anonymous

    def caller(self, path, *identity):
        gateway = TLSGateway(path, self.server.port, *identity)
        self.gateways.append(gateway)
        return Caller(API, gateway.target)

    def of(self, name):
        if name == "Agent.AttestAgent":
            return self.anonymous
        return self.callers["agent"] if name in AGENT else self.callers["downstream"] if name in DOWNSTREAM else self.local

    def state(self):
        return [(name, self.local(name).SerializeToString(deterministic=True)) for name in READERS]

    def rss(self):
        for line in open(f"/proc/{self.server.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        raise AssertionError("the server is gone")

    def close(self):
        for caller in (self.local, *self.callers.values(), self.anonymous):
            caller.close()
        for gateway in self.gateways:
            gateway.close()
        self.server.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("h"))
    yield world
    assert world.server.alive(), "the server did not survive"
    world.close()


def base(world, name):
    """A request in which all is well, as far as can be said in general."""
    request = API.request(name)
    entry = {"id": f"e-{time.monotonic_ns()}", "spiffe_id": {"trust_domain": DOMAIN, "path": "/new"},
             "parent_id": {"trust_domain": DOMAIN, "path": "/node"}, "selectors": [{"type": "unix", "value": "uid:7"}]}
    service, method = name.split(".")
    names = {field.name for field in request.DESCRIPTOR.fields}
    if "page_size" in names:
        request.page_size = 2
    if method in ("BatchCreateEntry", "BatchUpdateEntry"):
        request.entries.add(**entry)
        if method == "BatchUpdateEntry":
            request.entries[0].id = world.entry
            request.input_mask.hint = True
    elif method == "MintX509SVID":
        request.csr = signing_request("spiffe://example.org/minted")[0]
    elif method == "MintJWTSVID":
        request.id.trust_domain, request.id.path = DOMAIN, "/minted"
        request.audience.append("them")
    elif method == "BatchNewX509SVID":
        request.params.add(entry_id="none", csr=signing_request()[0])
    elif method in ("NewDownstreamX509CA", "RenewAgent"):
        (request.params if method == "RenewAgent" else request).csr = signing_request()[0]
    elif method == "CreateJoinToken":
        request.ttl = 60
    elif method == "AttestAgent":
        request.params.data.type, request.params.data.payload = "join_token", b"none"
        request.params.params.csr = signing_request()[0]
    elif method in ("GetAgent", "DeleteAgent", "BanAgent"):
        request.id.trust_domain, request.id.path = DOMAIN, "/spire/agent/none/none"
    elif method.startswith("Batch") and "federation_relationships" in names:
        request.federation_relationships.add(
            trust_domain="fourth.org", bundle_endpoint_url="https://127.0.0.1:1/b", https_web={})
    elif method.startswith("Batch") and "bundle" in names:
        request.bundle.add(trust_domain="fifth.org", refresh_hint=5)
    return request


def statuses(answer):
    """The status of each item of a batch, or none."""
    for item in getattr(answer, "results", ()):
        if item.DESCRIPTOR.fields_by_name.get("status") is not None and item.HasField("status"):
            yield item.status


def judge(call, code, text):
    """Complains about an answer no client can use."""
    assert code in REFUSALS or (code == Code.INTERNAL and any(re.match(known, text) for known in INTERNAL)), \
        f"{call}: {code} {text[:300]}"
    assert text, f"{call}: {code} without a word"
    assert not PROGRAM_WORDS.search(text), f"{call}: {code} in words of the program: {text[:300]}"
    assert len(text.encode()) <= LONGEST, f"{call}: an answer of {len(text)} letters: {text[:200]}"


def outcome(world, name, call, data):
    """Sends a request. Returns whether any of it was accepted."""
    try:
        answer = world.of(name)(name, data)
    except grpc.RpcError as refused:
        judge(call, refused.code(), refused.details())
        return False
    found = list(statuses(answer))
    for status in found:
        if status.code != 0:
            judge(call, {code.value[0]: code for code in Code}[status.code], status.message)
    return not found or any(status.code == 0 for status in found)


def tidy(world):
    """Takes away what good requests left, so that lists stay short and a name is free for the next."""
    kept = {world.entry}
    ids = [entry.id for entry in world.local("Entry.ListEntries").entries
           if entry.id not in kept and entry.spiffe_id.path not in ("/below", "/node")]
    if ids:
        world.local("Entry.BatchDeleteEntry", ids=ids)
    names = [found.trust_domain for found in world.local("TrustDomain.ListFederationRelationships").federation_relationships
             if found.trust_domain != "third.org"]
    if names:
        world.local("TrustDomain.BatchDeleteFederationRelationship", trust_domains=names)


@pytest.mark.parametrize("name", METHODS)
def test_no_field_can_be_wrong_without_a_word_or_with_an_effect(world, name):
    request = base(world, name)
    paths = list(fields(request.DESCRIPTOR))
    if not paths:
        return
    problems = []
    before = world.state()
    refused = []
    for path in paths:
        place = ".".join(field.name for field in path)
        for fault, message in spoiled(request, path):
            call = f"{name} {place} {fault}"
            try:
                accepted = outcome(world, name, call, wire(message))
            except AssertionError as problem:
                problems.append(str(problem))
                accepted = True
            if not accepted:
                refused.append(call)
            elif not READS.search(name):
                # Only what was refused has happened since the last look, and then this.
                before = world.state()
    if world.state() != before:
        problems.append(f"something changed, though all were refused: {refused}")
    tidy(world)
    assert not problems, "\n".join(problems[:40])
    assert world.server("healthcheck").stdout == "Server is healthy.\n"


@pytest.mark.parametrize("name,place", [
    ("Entry.BatchCreateEntry", "entries.spiffe_id.path"), ("Entry.BatchCreateEntry", "entries.selectors.value"),
    ("Entry.BatchCreateEntry", "entries.hint"), ("Agent.GetAgent", "id.path"), ("Entry.ListEntries", "page_token"),
    ("TrustDomain.BatchCreateFederationRelationship", "federation_relationships.bundle_endpoint_url"),
])
def test_a_megabyte_in_a_field_is_answered_in_a_line_and_costs_no_memory(world, name, place):
    request = base(world, name)
    holder = request
    *way, last = place.split(".")
    for part in way:
        value = getattr(holder, part)
        holder = value[0] if hasattr(value, "add") else value
    setattr(holder, last, "a" * MEGABYTE)
    before, rss = world.state(), world.rss()
    if not outcome(world, name, place, wire(request)):
        assert world.state() == before
    tidy(world)
    assert world.rss() < rss + 200, "a megabyte costs hundreds"


def test_a_batch_of_100000_is_answered_item_by_item(world):
    before, rss = world.state(), world.rss()
    for name, field, many in [
            ("Entry.BatchCreateEntry", "entries", 100_000), ("Entry.BatchDeleteEntry", "ids", 10_000),
            ("Bundle.BatchSetFederatedBundle", "bundle", 10_000), ("Bundle.BatchDeleteFederatedBundle", "trust_domains", 10_000),
            ("TrustDomain.BatchDeleteFederationRelationship", "trust_domains", 10_000)]:
        request = API.request(name)
        # An empty element of a list, as bytes: the tag and no length.
        number = request.DESCRIPTOR.fields_by_name[field].number
        answer = world.local(name, bytes([number << 3 | 2, 0]) * many, timeout=120)
        found = list(statuses(answer))
        assert len(found) == many and all(status.code == Code.INVALID_ARGUMENT.value[0] for status in found), name
        assert not list(statuses(world.local(name, API.request(name)))), f"{name}: an answer to nothing"
    assert world.state() == before
    assert world.rss() < rss + 300


def test_pages_of_every_size_and_tokens_that_are_none(world):
    for number in range(5):
        world.server.entry(f"spiffe://example.org/page{number}")
    every = {entry.id for entry in world.local("Entry.ListEntries").entries}
    for size in (0, -1, -(1 << 31), (1 << 31) - 1):
        assert {entry.id for entry in world.local("Entry.ListEntries", page_size=size).entries} == every
    found, token = set(), ""
    while True:
        page = world.local("Entry.ListEntries", page_size=2, page_token=token)
        found |= {entry.id for entry in page.entries}
        token = page.next_page_token
        if not token:
            break
        assert len(page.entries) <= 2
    assert found == every
    for name in ("Entry.ListEntries", "Agent.ListAgents", "Bundle.ListFederatedBundles", "TrustDomain.ListFederationRelationships"):
        for token in ("x", "-1", "1.5", "1; DROP TABLE registered_entries", "0x10"):
            with pytest.raises(grpc.RpcError) as refused:
                world.local(name, page_size=1, page_token=token)
            assert refused.value.code() == Code.INTERNAL
            assert re.match(r"failed to list .*could not parse token", refused.value.details())
    tidy(world)


def entry(**changes):
    return {"spiffe_id": {"trust_domain": DOMAIN, "path": "/once"}, "parent_id": {"trust_domain": DOMAIN, "path": "/node"},
            "selectors": [{"type": "unix", "value": "uid:7"}], **changes}


def test_of_identical_creates_at_the_same_time_exactly_one_wins(world):
    def create(_):
        return world.local("Entry.BatchCreateEntry", entries=[entry()]).results[0]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(create, range(32)))
    assert sorted(result.status.code for result in results) == [0] + [Code.ALREADY_EXISTS.value[0]] * 31
    assert len({result.entry.id for result in results}) == 1
    tidy(world)


def test_selectors_in_another_order_are_the_same_and_in_another_spelling_are_not(world):
    def create(*values):
        selectors = [{"type": "unix", "value": value} for value in values]
        return world.local("Entry.BatchCreateEntry", entries=[entry(selectors=selectors)]).results[0].status.code
    assert create("path:/a", "uid:1") == 0
    assert create("uid:1", "path:/a") == Code.ALREADY_EXISTS.value[0]
    # One letter in two spellings: two paths to a file system, so two entries.
    assert create("path:/caf\u00e9") == 0
    assert create("path:/cafe\u0301") == 0
    kept = world.local("Entry.ListEntries", filter={"by_selectors": {
        "selectors": [{"type": "unix", "value": "path:/caf\u00e9"}], "match": "MATCH_EXACT"}}).entries
    assert [found.selectors[0].value for found in kept] == ["path:/caf\u00e9"]
    tidy(world)


def test_of_two_entries_with_one_id_the_second_is_refused(world):
    results = world.local("Entry.BatchCreateEntry", entries=[entry(id="one"), entry(
        id="one", spiffe_id={"trust_domain": DOMAIN, "path": "/other"})]).results
    assert [result.status.code for result in results] == [0, Code.ALREADY_EXISTS.value[0]]
    tidy(world)
