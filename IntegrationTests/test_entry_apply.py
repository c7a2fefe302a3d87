# SPDX-License-Identifier: Apache-2.0
"""`entry apply`: declared entries against a running server."""
import json
import subprocess
import threading

from programs import PROGRAMS, wait_for

NODE = "spiffe://example.org/node"


def entry(path, selector="unix:uid:0", **more):
    return {"spiffe_id": f"spiffe://example.org{path}", "parent_id": NODE, "selectors": [selector], **more}


def write(path, entries):
    """JSON is YAML as well, so the ending decides which reader is asked."""
    path.write_text(json.dumps({"entries": entries}))
    return path


def stored(server):
    entries = json.loads(server("entry", "show", "-output", "json").stdout)["entries"]
    return {e["id"]: e for e in entries}


def paths(server, prefix="apply."):
    return sorted(e["spiffe_id"]["path"] for i, e in stored(server).items() if i.startswith(prefix))


def apply(server, file, *more, owner="team", check=True):
    return server("entry", "apply", "-f", file, "-owner", owner, *more, check=check)


def test_plan_then_apply_then_nothing_to_do(make_server, tmp_path, any_store):
    server = make_server(**any_store.options).start()
    file = write(tmp_path / "e.yaml", [entry("/a"), entry("/b", hint="x"), entry("/c", name="third")])

    dry = apply(server, file, "-dry-run", check=False)
    assert dry.returncode == 2
    assert dry.stdout.count("\n+ ") + dry.stdout.startswith("+ ") == 3
    assert "Plan: 3 to create, 0 to change, 0 to delete, 0 unchanged." in dry.stdout
    assert stored(server) == {}

    done = apply(server, file)
    assert "Applied: 3 created, 0 changed, 0 deleted." in done.stdout
    assert paths(server) == ["/a", "/b", "/c"]
    before = stored(server)
    again = apply(server, file)
    assert "0 to create, 0 to change, 0 to delete, 3 unchanged" in again.stdout
    assert stored(server) == before
    assert apply(server, file, "-dry-run").returncode == 0

    write(file, [entry("/a"), entry("/b", hint="y", dns_names=["b.example"]), entry("/d")])
    changed = apply(server, file)
    assert 'hint: "x" -> "y"' in changed.stdout
    assert "1 entry is of owner \"team\" not declared any more; -prune deletes them" in changed.stdout
    assert paths(server) == ["/a", "/b", "/c", "/d"]
    pruned = json.loads(apply(server, file, "-prune", "-output", "json").stdout)
    assert pruned["result"] == {"created": 0, "updated": 0, "replaced": 0, "deleted": 1, "failed": []}
    assert paths(server) == ["/a", "/b", "/d"]
    b = next(e for e in stored(server).values() if e["spiffe_id"]["path"] == "/b")
    assert (b["hint"], b["dns_names"], b["revision_number"]) == ("y", ["b.example"], "1")


def test_other_owners_and_hand_made_entries_are_left_alone(make_server, tmp_path, any_store):
    server = make_server(**any_store.options).start()
    by_hand = server.entry("spiffe://example.org/hand", "unix:uid:7")
    apply(server, write(tmp_path / "rivals.yaml", [entry("/rivals")]), owner="rivals")
    file = write(tmp_path / "e.yaml", [entry("/a")])
    apply(server, file, "-prune")
    assert paths(server, "") == ["/a", "/hand", "/rivals"]

    write(file, [entry("/hand", "unix:uid:7")])
    refused = apply(server, file, check=False)
    assert refused.returncode == 1
    assert f"the entry is there as {by_hand}, which nobody owns; -adopt takes it over" in refused.stderr
    assert by_hand in stored(server)
    apply(server, file, "-adopt")
    assert by_hand not in stored(server)
    assert paths(server) == ["/a", "/hand", "/rivals"]

    write(file, [entry("/rivals")])
    refused = apply(server, file, "-adopt", "-prune", check=False)
    assert refused.returncode == 1 and 'belongs to owner "rivals"' in refused.stderr
    assert paths(server) == ["/a", "/hand", "/rivals"]


def test_what_the_server_refuses_is_told_before_anything_is_changed(make_server, tmp_path, any_store):
    server = make_server(**any_store.options).start()
    file = write(tmp_path / "e.yaml", [
        entry("/good"), entry("/bad", dns_names=["not a name"]),
        {**entry("/x"), "spiffe_id": "spiffe://other.test/x"}, {**entry("/y"), "parent_id": "spiffe://other.test/p"},
    ])
    result = apply(server, file, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: nothing was applied:\n")
    assert result.stderr.count("failed to convert entry") == 3
    assert stored(server) == {}
    # A bundle that is missing shows only when it is written: the others are made, nothing is deleted.
    write(file, [entry("/old")])
    apply(server, file)
    write(file, [entry("/good"), entry("/fed", federates_with=["other.test"])])
    result = apply(server, file, "-prune", check=False)
    assert result.returncode == 1
    assert 'unable to find federated bundle' in result.stderr
    assert "what is not declared was not deleted" in result.stderr
    assert paths(server) == ["/good", "/old"]


def test_no_flag_no_file_no_server(make_server, tmp_path):
    server = make_server().start()
    file = write(tmp_path / "e.yaml", [entry("/a")])
    assert "a file or folder is required" in server("entry", "apply", check=False).stderr
    assert "-prune needs -owner" in server("entry", "apply", "-f", file, "-prune", check=False).stderr
    assert "letters, digits and hyphens" in apply(server, file, owner="a.b", check=False).stderr
    assert "no such file" in apply(server, tmp_path / "none.yaml", check=False).stderr
    (tmp_path / "empty").mkdir()
    assert "has no file that ends in" in apply(server, tmp_path / "empty", check=False).stderr
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("a: &a [1]\nentries: [*a]\n")
    assert f"{bomb}: line 1, column 4: anchors are not supported" in apply(server, bomb, check=False).stderr
    assert stored(server) == {}
    by_stdin = server("entry", "apply", "-f", "-", input=file.read_text())
    assert "1 created" in by_stdin.stdout
    assert paths(server, "apply.default.") == ["/a"]


def test_ten_thousand_entries_in_one_run_with_progress(make_server, tmp_path):
    server = make_server().start()
    entries = [entry(f"/w/{n}", f"unix:uid:{n}", name=f"w{n}") for n in range(10_000)]
    file = tmp_path / "many.json"
    file.write_text(json.dumps({"entries": entries}))
    done = apply(server, file)
    assert "Applied: 10000 created, 0 changed, 0 deleted." in done.stdout
    steps = [line for line in done.stderr.splitlines() if line.startswith("Applied ")]
    assert steps[0] == "Applied 500 of 10000 changes" and steps[-1] == "Applied 10000 of 10000 changes"
    assert len(steps) == 20
    assert "count" not in done.stderr and server("entry", "count").stdout == "10000 registration entries\n"
    assert "10000 unchanged" in apply(server, file, "-prune").stdout
    for item in entries[:3000]:
        item["hint"] = "new"
    file.write_text(json.dumps({"entries": entries[:9000]}))
    assert "Applied: 0 created, 3000 changed, 1000 deleted." in apply(server, file, "-prune").stdout
    assert server("entry", "count").stdout == "9000 registration entries\n"


def test_concurrent_applies_end_in_one_of_the_declared_states(make_server, tmp_path, any_store):
    server = make_server(**any_store.options).start()
    states = []
    # Everything takes longer over a network.
    both, own, rounds = (300, 150, 2) if any_store.server else (1500, 700, 6)
    for letter in "xy":
        # Same keys with other contents, and keys only one of them has.
        entries = [entry(f"/s/{n}", f"unix:uid:{n}", name=f"s{n}", hint=letter) for n in range(both)]
        entries += [entry(f"/{letter}/{n}", f"unix:gid:{n}", name=f"{letter}{n}", hint=letter) for n in range(own)]
        file = tmp_path / f"{letter}.json"
        file.write_text(json.dumps({"entries": entries}))
        states.append((file, sorted((e["spiffe_id"].removeprefix("spiffe://example.org"), e["hint"]) for e in entries)))

    def found():
        return sorted((e["spiffe_id"]["path"], e["hint"]) for e in stored(server).values())

    winners = set()
    for round in range(rounds):
        results = {}

        def run(number):
            results[number] = apply(server, states[number][0], "-prune", check=False)

        threads = [threading.Thread(target=run, args=(n,)) for n in ((0, 1) if round % 2 else (1, 0))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = sorted(r.returncode for r in results.values())
        assert codes in ([0, 0], [0, 1]), [r.stderr for r in results.values()]
        for result in results.values():
            if result.returncode:
                assert "another apply of owner \"team\" has begun since" in result.stderr
        state = found()
        matching = [number for number in (0, 1) if states[number][1] == state]
        assert len(matching) == 1, f"{len(state)} entries, neither of the declared states"
        if codes == [0, 1]:
            assert results[matching[0]].returncode == 0
        winners.add(matching[0])


def test_edits_by_others_during_an_apply_do_not_get_lost_or_win(make_server, tmp_path):
    server = make_server().start()
    entries = [entry(f"/w/{n}", f"unix:uid:{n}", name=f"w{n}") for n in range(3000)]
    file = tmp_path / "e.json"
    file.write_text(json.dumps({"entries": entries}))
    apply(server, file)
    ids = sorted(stored(server))
    stop = threading.Event()
    edits = []

    def edit():
        n = 0
        while not stop.is_set():
            target = ids[(n * 37) % len(ids)]
            e = stored_one(server, target)
            result = server("entry", "update", "-entryID", target, "-spiffeID", e["spiffe"], "-parentID", NODE,
                            "-selector", e["selector"], "-hint", f"edit{n}", check=False)
            edits.append(result.returncode)
            n += 1

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        wait_for(lambda: len(edits) > 3, "edits")
        for item in entries:
            item["x509_svid_ttl"] = 60
        file.write_text(json.dumps({"entries": entries}))
        result = apply(server, file, check=False)
    finally:
        stop.set()
        editor.join()
    assert result.returncode in (0, 1), result.stderr
    # Once the edits have ended, one more run makes the declared state, whatever they did.
    apply(server, file)
    after = stored(server)
    assert len(after) == 3000
    assert all(e["x509_svid_ttl"] == 60 and e["hint"] == "" for e in after.values())


def stored_one(server, entry_id):
    e = json.loads(server("entry", "show", "-entryID", entry_id, "-output", "json").stdout)["entries"][0]
    selector = e["selectors"][0]
    return {"spiffe": f"spiffe://example.org{e['spiffe_id']['path']}", "selector": f"{selector['type']}:{selector['value']}"}


def test_killed_half_way_nothing_is_lost_and_the_next_run_goes_on(make_server, tmp_path):
    server = make_server().start()
    entries = [entry(f"/w/{n}", f"unix:uid:{n}", name=f"w{n}") for n in range(4000)]
    file = tmp_path / "e.json"
    file.write_text(json.dumps({"entries": entries}))
    apply(server, file)
    for n, item in enumerate(entries):
        item["hint"] = f"v{n}"
    file.write_text(json.dumps({"entries": entries[1000:]}))
    running = subprocess.Popen(
        [PROGRAMS / "spire-server", "entry", "apply", "-socketPath", server.socket, "-f", file, "-owner", "team", "-prune"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # The first line of progress says that the first transaction is through.
    assert running.stderr.readline() == "Applied 500 of 4000 changes\n"
    running.kill()
    running.communicate()
    half = stored(server)
    assert len(half) == 4000
    assert 500 <= sum(e["hint"] != "" for e in half.values()) < 3000
    apply(server, file, "-prune")
    after = stored(server)
    assert len(after) == 3000 and all(e["hint"] for e in after.values())


def test_explain_names_what_is_missing(lab):
    server = lab.server
    entry_id = server.entry("spiffe://example.org/explained", "unix:uid:991", None, "-selector", "unix:gid:992")
    agents = json.loads(server("agent", "list", "-output", "json").stdout)["agents"]
    agent = f"spiffe://example.org{agents[0]['id']['path']}"
    text = server("entry", "explain", "-agentID", agent, "-selector", "unix:uid:991").stdout
    assert "0 entries matched" in text and f"Entry {entry_id}" in text
    assert "Selector missing : unix:gid:992" in text
    # The entry /node was made with the agent's token, below the agent.
    assert "By way of        : spiffe://example.org/node, which entry" in text
    assert f"By way of        : agent {agent}" in text
    both = json.loads(server("entry", "explain", "-agentID", agent, "-selector", "unix:uid:991", "-selector",
                             "unix:gid:992", "-output", "json").stdout)
    assert [f["entry"]["id"] for f in both["matching"]] == [entry_id]
    stranger = server("entry", "explain", "-agentID", "spiffe://example.org/spire/agent/none", "-spiffeID",
                      "spiffe://example.org/explained").stdout
    assert "no agent with this ID is known to the server" in stranger and "0 entries matched" in stranger
    for wrong in (["-selector", "nocolon"], [], ["-spiffeID", "spiffe://other.test/x"], ["-selector", "a:b", "-limit", "0"]):
        assert server("entry", "explain", *wrong, check=False).returncode == 1
