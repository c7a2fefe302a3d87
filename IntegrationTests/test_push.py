# SPDX-License-Identifier: Apache-2.0
"""Changes reach agents by themselves: nothing here can happen by a poll, which is set to once an hour."""
import os
import queue
import re
import subprocess
import threading

from programs import PROGRAMS, wait_for

HOURLY = """experimental {
        sync_interval = "1h"
    }"""
UID = f"unix:uid:{os.getuid()}"


class Watcher:
    """`api watch` of an agent: every update of the X.509 context as it comes."""

    def __init__(self, agent):
        self.process = subprocess.Popen(
            [PROGRAMS / "spire-agent", "api", "watch", "-socketPath", str(agent.socket)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def wait(self, text, timeout=20):
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"no {text!r} in:\n{''.join(seen)}")
            seen.append(line)
            if text in line:
                return

    def stop(self):
        self.process.kill()
        self.process.wait()


def following(agent, times=1):
    """Waits until the agent's stream is open."""
    wait_for(lambda: agent.log().count("Changes are pushed by the server") >= times, "the stream to open")


def test_an_entry_reaches_an_open_workload_stream_and_leaves_it(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=HOURLY).start(server.token("spiffe://example.org/node"))
    following(agent)
    first = server.entry("spiffe://example.org/first")
    agent.wait_identity("spiffe://example.org/first")
    watcher = Watcher(agent)
    try:
        watcher.wait("spiffe://example.org/first")
        second = server.entry("spiffe://example.org/second")
        watcher.wait("spiffe://example.org/second")
        server("entry", "delete", "-entryID", first)
        wait_for(lambda: "first" not in agent("api", "fetch", "x509", check=False).stdout, "the entry to go")
        server("entry", "update", "-entryID", second, "-parentID", "spiffe://example.org/node", "-spiffeID",
               "spiffe://example.org/renamed", "-selector", UID)
        watcher.wait("spiffe://example.org/renamed")
    finally:
        watcher.stop()
    # It was no poll.
    assert agent.alive() and "polling" not in agent.log()


def test_a_banned_agent_ends_at_once(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=HOURLY).start(server.token())
    following(agent)
    agent_id = re.search(r"spiffe://example.org/spire/agent/join_token/\S+", server("agent", "list").stdout).group(0)
    server("agent", "ban", "-spiffeID", agent_id)
    wait_for(lambda: not agent.alive(), "the banned agent to end")
    assert "Agent is banned" in agent.log()


def test_a_restarted_server_is_followed_again_and_nothing_is_lost_meanwhile(make_server, make_agent):
    server = make_server().start()
    agent = make_agent(server, settings=HOURLY).start(server.token("spiffe://example.org/node"))
    server.entry("spiffe://example.org/before")
    agent.wait_identity("spiffe://example.org/before")
    following(agent)
    server.stop()
    wait_for(lambda: "Stream of changes ended" in agent.log(), "the agent to notice")
    assert "spiffe://example.org/before" in agent("api", "fetch", "x509").stdout
    server.start()
    following(agent, times=2)
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")
    assert "spiffe://example.org/before" in agent("api", "fetch", "x509").stdout


def test_an_agent_that_renews_follows_on_without_a_gap(make_server, make_agent):
    server = make_server(settings='agent_ttl = "20s"').start()
    agent = make_agent(server, settings=HOURLY).start(server.token("spiffe://example.org/node"))
    following(agent)
    wait_for(lambda: "Successfully rotated agent SVID" in agent.log(), "the agent to renew", 30)
    wait_for(lambda: "opening another stream of changes" in agent.log(), "the stream to move")
    server.entry("spiffe://example.org/after")
    agent.wait_identity("spiffe://example.org/after")
    assert "Stream of changes ended" not in agent.log()


def test_agents_that_ask_as_the_originals_do_are_served_beside_those_that_follow(make_server, make_agent):
    server = make_server().start()
    polling = make_agent(server, "polling", settings="""experimental {
        sync_interval = "1s"
        use_sync_authorized_entries = false
    }""").start(server.token("spiffe://example.org/node"))
    agent = make_agent(server, "following", settings=HOURLY).start(server.token("spiffe://example.org/node"))
    following(agent)
    server.entry("spiffe://example.org/both")
    agent.wait_identity("spiffe://example.org/both")
    polling.wait_identity("spiffe://example.org/both")
    assert "Changes are pushed" not in polling.log()


def test_a_foreign_bundle_reaches_the_workloads_that_federate_with_it(make_server, make_agent):
    server = make_server().start()
    friend = make_server("friend", trust_domain="friend.test").start()
    bundle = friend("bundle", "show", "-format", "spiffe").stdout
    server("bundle", "set", "-format", "spiffe", "-id", "spiffe://friend.test", input=bundle)
    agent = make_agent(server, settings=HOURLY).start(server.token("spiffe://example.org/node"))
    following(agent)
    server.entry("spiffe://example.org/web", None, None, "-federatesWith", "spiffe://friend.test")
    agent.wait_identity("spiffe://example.org/web")
    assert "friend.test" in agent("api", "fetch", "x509", "-output", "json").stdout
