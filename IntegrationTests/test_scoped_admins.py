# SPDX-License-Identifier: Apache-2.0
"""`scoped_admin`: a workload with a part of an administrator's rights, over mutual TLS, against a real server."""
import json

import grpc
import pytest

from calls import Api, Caller, TLSGateway, minted, signing_request

Code = grpc.StatusCode
API = Api()
DOMAIN = "example.org"
TEAM = "spiffe://example.org/ci/team-a"
READER = "spiffe://example.org/ci/reader"
SCOPES = f'''
    audit_log_file = "audit.log"
    ratelimit {{ signing = false }}
    scoped_admin "{TEAM}" {{
        verbs = ["read", "create", "update", "delete", "mint_x509", "mint_jwt"]
        spiffe_id_prefixes = ["/team-a"]
        parent_id_prefixes = ["/node", "/team-a"]
        required_selectors = ["k8s:ns:team-a"]
        dns_names = ["*.team-a.example.org"]
        federates_with = ["partner.test"]
    }}
    scoped_admin "{READER}" {{
        verbs = ["read"]
        spiffe_id_prefixes = ["/team-a", "/team-b"]
        parent_id_prefixes = ["/node"]
    }}
'''
# Served on the operator's socket only, so unknown to the rest of the world.
LOCAL = {"Debug", "Logger"}
OWN = ("k8s", "ns:team-a")


def spiffe_id(path):
    return {"trust_domain": DOMAIN, "path": path}


def entry(path, parent="/node", selectors=(), required=True, **more):
    chosen = ([OWN] if required else []) + (list(selectors) or [("unix", f"path:{path}")])
    return {"spiffe_id": spiffe_id(path), "parent_id": spiffe_id(parent),
            "selectors": [{"type": kind, "value": value} for kind, value in chosen], **more}


class World:
    """A server, its operator, and callers with scopes."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.operator = Caller(API, f"unix:{server.socket}")
        self.opened = [self.operator]
        self.team = self.caller(*minted(self.operator, TEAM))
        self.refusals = {}

    def caller(self, *identity):
        gateway = TLSGateway(self.folder / f"g{len(self.opened)}", self.server.port, *identity)
        caller = Caller(API, gateway.target)
        self.opened += [gateway, caller]
        return caller

    def close(self):
        for one in self.opened:
            one.close()

    # By the operator, who may do everything.

    def made(self, *entries):
        results = self.operator("Entry.BatchCreateEntry", entries=list(entries)).results
        assert all(result.status.code == 0 for result in results), results
        return [result.entry.id for result in results]

    def stored(self):
        return {e.id: e for e in self.operator("Entry.ListEntries").entries}

    # By a scoped administrator. Every refusal is remembered, to be looked for in the audit log.

    def denied(self, name, by=None, code=Code.PERMISSION_DENIED, caller_id=TEAM, **fields):
        with pytest.raises(grpc.RpcError) as refusal:
            (by or self.team)(name, **fields)
        assert refusal.value.code() == code, (name, refusal.value.details())
        self.note(caller_id, name, code, refusal.value.details())
        return refusal.value.details()

    def note(self, caller_id, name, code, message):
        method = name.split(".")[1]
        self.refusals.setdefault(caller_id, []).append((method, code.name.replace("_", "").lower(), message))

    def batch(self, name, **fields):
        """The statuses of the items."""
        statuses = [result.status for result in self.team(name, **fields).results]
        for status in statuses:
            if status.code:
                self.note(TEAM, name, next(c for c in Code if c.value[0] == status.code), status.message)
        return statuses

    def audited_refusals(self, caller_id):
        found = self.server.command("audit", "search", "-file", self.server.folder / "audit.log", "-caller", caller_id, "-output", "json")
        events = [line["event"] for line in json.loads(found.stdout)["events"]]
        return [(e["method"], e["status_code"].lower(), e["status_message"]) for e in events if e["status"] == "error"]

    def check_audit(self):
        for caller_id, refusals in self.refusals.items():
            assert self.audited_refusals(caller_id) == refusals
        data = self.server.folder / "data"
        self.server.command("audit", "verify", "-file", self.server.folder / "audit.log", "-key", data / "audit-log.key",
                            "-state", data / "audit-log.state")


def begin(server, folder):
    # Sockets have short names.
    return World(server.start(), folder)


@pytest.fixture
def world(make_server, tmp_path_factory, any_store):
    world = begin(make_server(settings=SCOPES, **any_store.options), tmp_path_factory.mktemp("g"))
    yield world
    world.close()


@pytest.fixture
def small_world(make_server, tmp_path_factory):
    world = begin(make_server(settings=SCOPES), tmp_path_factory.mktemp("g"))
    yield world
    world.close()


def listed(caller, size, **filters):
    """Every page of a listing."""
    pages, token = [], ""
    while True:
        answer = caller("Entry.ListEntries", page_size=size, page_token=token, **filters)
        pages.append([e.id for e in answer.entries])
        token = answer.next_page_token
        if not token:
            return pages
        assert len(pages) < 1000


def test_a_listing_shows_what_is_its_own_whole_and_in_pages(world):
    own, foreign = [], []
    # In every order: long runs of others' entries, single ones, and such as one of the two IDs is in the scope of.
    for number in range(60):
        mine = number % 7 in (0, 3, 4) and not 20 <= number < 40
        path = f"/team-a/w{number:02}" if mine or number % 2 else f"/team-b/w{number:02}"
        made = world.made(entry(path, "/node" if mine else "/elsewhere" if number % 2 else "/node"))
        (own if mine else foreign).extend(made)
    foreign += world.made(entry("/team-ab/x"), entry("/team", "/node"), entry("/ci/team-a/x"))
    assert len(own) >= 15 and len(foreign) >= 35

    shown = listed(world.team, 0)
    assert len(shown) == 1 and sorted(shown[0]) == sorted(own)
    for size in (1, 2, 3, 7, len(own), 1000):
        pages = listed(world.team, size)
        assert sorted(sum(pages, [])) == sorted(own), size
        assert all(len(page) <= size for page in pages)
        assert all(pages[:-1]), "a page in the middle is empty"
    assert world.team("Entry.CountEntries").count == len(own)
    filters = {"filter": {"by_parent_id": spiffe_id("/node")}}
    assert sorted(sum(listed(world.team, 2, **filters), [])) == sorted(own)
    for outside in ({"by_spiffe_id": spiffe_id("/team-b/w02")}, {"by_parent_id": spiffe_id("/elsewhere")}):
        assert listed(world.team, 2, filter=outside) == [[]]
        assert world.team("Entry.CountEntries", filter=outside).count == 0

    assert world.team("Entry.GetEntry", id=own[0]).id == own[0]
    nothing = world.denied("Entry.GetEntry", code=Code.NOT_FOUND, id="no-such-entry")
    for other in foreign[:5]:
        # What is outside is not to be told from what is not there.
        assert world.denied("Entry.GetEntry", code=Code.NOT_FOUND, id=other) == nothing.replace("no-such-entry", other)
    # Another scope, other entries.
    reader = world.caller(*minted(world.operator, READER))
    assert sorted(sum(listed(reader, 5), [])) == sorted(
        e.id for e in world.stored().values()
        if e.parent_id.path == "/node" and e.spiffe_id.path.split("/")[1] in ("team-a", "team-b"))
    world.check_audit()


REFUSED_ENTRIES = {
    "another team": (entry("/team-b/x"), "SPIFFE ID spiffe://example.org/team-b/x is not below [/team-a]"),
    "a longer word": (entry("/team-ab"), "SPIFFE ID spiffe://example.org/team-ab is not below [/team-a]"),
    "an administrator's identity": (entry("/ci/team-a"), "SPIFFE ID spiffe://example.org/ci/team-a is not below [/team-a]"),
    "a parent outside": (entry("/team-a/x", "/elsewhere"), "parent ID spiffe://example.org/elsewhere is not below [/node /team-a]"),
    "an agent as parent": (entry("/team-a/x", "/spire/agent/join_token/t"), "is not below [/node /team-a]"),
    "the server as parent": (entry("/team-a/x", "/spire/server"), "parent ID spiffe://example.org/spire/server is not below"),
    "an admin": (entry("/team-a/x", admin=True), "entries of administrators are not for scoped administrators"),
    "a downstream server": (entry("/team-a/x", downstream=True), "entries of downstream servers are not for scoped administrators"),
    "a stored identity": (entry("/team-a/x", store_svid=True), "entries to be stored are not for scoped administrators"),
    "without the selector": (entry("/team-a/x", required=False), "the entry must have the selector k8s:ns:team-a"),
    "another's selector": (entry("/team-a/x", required=False, selectors=[("k8s", "ns:team-b")]), "the entry must have the selector k8s:ns:team-a"),
    "another's name": (entry("/team-a/x", dns_names=["a.team-a.example.org", "bank.example.org"]), "the DNS name bank.example.org is not among"),
    "a name above": (entry("/team-a/x", dns_names=["team-a.example.org"]), "the DNS name team-a.example.org is not among"),
    "a foreign domain": (entry("/team-a/x", federates_with=["foe.test"]), "the entry must not federate with spiffe://foe.test"),
    "an ID of its own": (entry("/team-a/x", id="chosen"), "entry IDs are chosen by the server"),
}


def test_a_batch_creates_what_is_inside_and_refuses_the_rest_item_by_item(world):
    openable = [entry("/team-a"), entry("/team-a/web", dns_names=["web.team-a.example.org"], hint="h", x509_svid_ttl=600),
                entry("/team-a/below", "/team-a/web")]
    asked = openable[:1] + [refused for refused, _ in REFUSED_ENTRIES.values()] + openable[1:]
    statuses = world.batch("Entry.BatchCreateEntry", entries=asked)
    assert [s.code for s in statuses] == [0] + [Code.PERMISSION_DENIED.value[0]] * len(REFUSED_ENTRIES) + [0, 0]
    for status, (name, (_, words)) in zip(statuses[1:], REFUSED_ENTRIES.items()):
        assert status.message.startswith("outside the administrator's scope: ") and words in status.message, name
    assert sorted(e.spiffe_id.path for e in world.stored().values()) == ["/team-a", "/team-a/below", "/team-a/web"]
    # Malformed ones are what they are for everybody; one that is there already too.
    odd = world.batch("Entry.BatchCreateEntry", entries=[
        {**entry("/team-a/x"), "spiffe_id": {"trust_domain": "other.test", "path": "/team-a/x"}}, entry("/team-a/../team-b"), entry("/team-a")])
    assert [s.code for s in odd] == [3, 3, 6]
    assert len(world.stored()) == 3
    world.check_audit()


def test_an_update_moves_nothing_into_the_scope_or_out_of_it(world):
    own, outside, admin, bare = world.made(
        entry("/team-a/web"), entry("/team-b/web"), entry("/team-a/root", admin=True), entry("/team-a/bare", required=False))
    before = world.stored()
    denied, absent = Code.PERMISSION_DENIED.value[0], Code.NOT_FOUND.value[0]

    def update(entry_id, mask=None, **fields):
        more = {"input_mask": {name: True for name in mask}} if mask else {}
        return world.batch("Entry.BatchUpdateEntry", entries=[{**fields, "id": entry_id}], **more)[0]

    for name, (wanted, words) in REFUSED_ENTRIES.items():
        if name == "an ID of its own":
            continue
        for mask in (None, ["spiffe_id", "parent_id", "selectors", "federates_with", "admin", "downstream", "dns_names", "store_svid"]):
            status = update(own, mask, **wanted)
            assert status.code == denied and words in status.message, name
    # A field alone.
    for mask, wanted in {
        "spiffe_id": entry("/team-b/x"), "parent_id": entry("/x", "/elsewhere"), "selectors": entry("/x", required=False),
        "admin": {"admin": True}, "downstream": {"downstream": True}, "store_svid": {"store_svid": True},
        "dns_names": {"dns_names": ["x.example.org"]}, "federates_with": {"federates_with": ["foe.test"]},
    }.items():
        assert update(own, [mask], **wanted).code == denied, mask
    # What is outside is not there, whatever it would become.
    for fields in (entry("/team-a/taken"), entry("/team-b/web")):
        status = update(outside, **fields)
        assert status.code == absent
        assert status.message == update("no-such-entry", **fields).message
    # What is there, but was made with rights or without the selector, is left as it is: also by a mask that names nothing of it.
    for stored, fields in ((admin, {"hint": "mine"}), (admin, {"admin": False}), (bare, entry("/team-a/bare")), (bare, {"hint": "mine"})):
        mask = None if "spiffe_id" in fields else list(fields)
        assert update(stored, mask, **fields).code == denied
    assert world.stored() == before
    # Of one's own, what the scope covers can be changed.
    assert update(own, ["hint", "x509_svid_ttl", "dns_names"], hint="new", x509_svid_ttl=300, dns_names=["w.team-a.example.org"]).code == 0
    changed = world.stored()[own]
    assert (changed.hint, changed.x509_svid_ttl, list(changed.dns_names)) == ("new", 300, ["w.team-a.example.org"])
    assert changed.revision_number == before[own].revision_number + 1
    # Item by item in one batch.
    mixed = world.batch("Entry.BatchUpdateEntry", entries=[{**entry("/team-b/web"), "id": outside}, {**entry("/team-a/web2"), "id": own}])
    assert [s.code for s in mixed] == [absent, 0]
    world.check_audit()


def test_a_deletion_reaches_only_what_is_inside(world):
    own, other, outside, admin = world.made(
        entry("/team-a/a"), entry("/team-a/b"), entry("/team-b/a"), entry("/team-a/root", admin=True))
    statuses = world.batch("Entry.BatchDeleteEntry", ids=[outside, own, "no-such-entry", admin, ""])
    assert [s.code for s in statuses] == [5, 0, 5, 7, 3]
    assert statuses[0].message == statuses[2].message == "entry not found"
    assert set(world.stored()) == {other, outside, admin}
    world.check_audit()


def test_rights_are_not_to_be_had_by_a_roundabout_way(small_world):
    world = small_world
    # The platform's own: an identity with rights that lies in the team's part, and an entry that hangs below the team's part.
    world.made(entry("/team-a/operator", "/elsewhere", admin=True), entry("/team-a/nested", "/elsewhere", downstream=True),
               entry("/db", "/team-a/gate", required=False), entry("/team-a/gate", "/team-a/outer"))
    (own,) = world.made(entry("/team-a/plain"))
    words = {"/team-a/operator": "carries an administrator's or downstream server's rights",
             "/team-a/nested": "carries an administrator's or downstream server's rights",
             "/team-a/gate": "entries outside the scope are below", "/team-a/outer": "entries outside the scope are below"}
    for path, text in words.items():
        status = world.batch("Entry.BatchCreateEntry", entries=[entry(path)])[0]
        assert status.code == 7 and text in status.message, path
        status = world.batch("Entry.BatchUpdateEntry", entries=[{**entry(path), "id": own}])[0]
        assert status.code == 7 and text in status.message, path
    assert world.stored()[own].spiffe_id.path == "/team-a/plain"
    # Nor by minting.
    for path in ("/team-a/operator", "/team-a/nested", "/team-b/x", "/ci/team-a", "/ci/reader", "/spire/server"):
        # What nobody may have minted is refused as to everybody.
        code = Code.INVALID_ARGUMENT if path.startswith("/spire/") else Code.PERMISSION_DENIED
        request, _ = signing_request(f"spiffe://{DOMAIN}{path}")
        world.denied("SVID.MintX509SVID", code=code, csr=request)
        world.denied("SVID.MintJWTSVID", code=code, id=spiffe_id(path), audience=["a"])
    request, _ = signing_request(f"spiffe://{DOMAIN}/team-a/web")
    assert world.team("SVID.MintX509SVID", csr=request).svid.id.path == "/team-a/web"
    assert world.team("SVID.MintJWTSVID", id=spiffe_id("/team-a/web"), audience=["a"]).svid.token
    # Nor by an entry that makes the administrator's own identity one without limits.
    world.made(entry("/ci/team-a", admin=True))
    world.denied("Agent.ListAgents")
    assert world.batch("Entry.BatchCreateEntry", entries=[entry("/team-b/y")])[0].code == 7
    assert not [e for e in world.stored().values() if e.spiffe_id.path == "/team-b/y"]
    world.check_audit()


def test_every_other_method_and_verb_is_refused_and_audited(small_world):
    world = small_world
    world.made(entry("/team-a/web"))
    reader = world.caller(*minted(world.operator, READER))
    allowed = {"Entry.ListEntries", "Entry.CountEntries", "Entry.GetEntry", "Entry.BatchCreateEntry", "Entry.BatchUpdateEntry",
               "Entry.BatchDeleteEntry", "SVID.MintX509SVID", "SVID.MintJWTSVID"}
    # Bundles are everybody's; agents attest before they are anybody.
    everybody = {"Bundle.GetBundle", "Agent.AttestAgent"}
    tried = 0
    for name, method in sorted(API.methods.items()):
        if name in everybody or name.startswith("Health.") or name == "EntryPush.StreamAuthorizedEntries":
            continue
        path = f"/{method.containing_service.full_name}/{method.name}"
        for caller, caller_id, may in ((world.team, TEAM, allowed), (reader, READER, {"Entry.ListEntries", "Entry.CountEntries", "Entry.GetEntry"})):
            if name in may:
                continue
            if name.split(".")[0] in LOCAL:
                with pytest.raises(grpc.RpcError) as refusal:
                    caller(name)
                assert refusal.value.code() == Code.UNIMPLEMENTED, name
                continue
            details = world.denied(name, caller, caller_id=caller_id)
            assert details.startswith(f"authorization denied for method {path}"), name
            tried += 1
    assert tried > 60
    world.check_audit()
    # Whoever has no scope leaves no line by being turned away.
    stranger = world.caller(*minted(world.operator, "spiffe://example.org/stranger"))
    with pytest.raises(grpc.RpcError) as refusal:
        stranger("Entry.ListEntries")
    assert refusal.value.code() == Code.PERMISSION_DENIED
    assert world.audited_refusals("spiffe://example.org/stranger") == []


def test_a_workload_administers_with_the_identity_its_agent_gave_it(make_server, make_agent, tmp_path_factory):
    server = make_server(settings=SCOPES)
    world = begin(server, tmp_path_factory.mktemp("g"))
    agent = make_agent(server).start(server.token("spiffe://example.org/node"))
    server.entry(TEAM)
    agent.wait_identity(TEAM)
    out = tmp_path_factory.mktemp("svid")
    agent("api", "fetch", "x509", "-write", out)
    workload = world.caller((out / "svid.0.pem").read_bytes(), (out / "svid.0.key").read_bytes())
    statuses = [r.status.code for r in workload("Entry.BatchCreateEntry", entries=[entry("/team-a/web"), entry("/team-b/web")]).results]
    assert statuses == [0, 7]
    # What it made reaches the agent's node like any other entry.
    assert [e.spiffe_id.path for e in workload("Entry.ListEntries").entries] == ["/team-a/web"]
    # The operator's commands show it, and the audit log tells who it was.
    assert "spiffe://example.org/team-a/web" in server("entry", "show").stdout
    assert world.audited_refusals(TEAM)[0][:2] == ("BatchCreateEntry", "permissiondenied")
    # Without its key, the identity is nobody's.
    anonymous = world.caller()
    with pytest.raises(grpc.RpcError) as refusal:
        anonymous("Entry.ListEntries")
    assert refusal.value.code() in (Code.PERMISSION_DENIED, Code.UNAVAILABLE)
    world.close()
