# SPDX-License-Identifier: Apache-2.0
"""The original's own command-line session, replayed: the same commands give the same text, ids, times and keys aside."""
import json
import os
import re
import shlex
import signal
import subprocess

import grpc
import pytest
from programs import PROGRAMS

# What may differ between two runs, and the shape it must have. Order matters: the first that matches wins.
VARIABLE = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<jwt>eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20,})"
    r"|(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC)"
    r"|(?P<rfc>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
    r"|(?P<duration>(?<=after )[\d.]+(?:ms|µs|s))"
    r"|(?P<uptime>(?<=Uptime:                  )\d[\dhms]*)"
    r"|(?P<serial>\b\d{30,40}\b)"
    r"|(?P<unix>\b1[78]\d{8}\b)"
    r"|(?P<version>\b1\.15\.3\b)"
    r"|(?P<blob>(?:(?<=[\"\s])|^)[A-Za-z0-9+/_=-]{32,})")
SHAPE = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "jwt": r"[\w-]+\.[\w-]+\.[\w-]+",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC",
    "rfc": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "duration": r"[\d.]+(?:ms|µs|s)",
    "uptime": r"\d[\dhms]*",
    "serial": r"\d{1,40}",
    "unix": r"\d{10}",
    "version": r"[\w.-]+",
    "blob": r"[A-Za-z0-9+/_=-]+",
}
KEPT = {"uuid", "jwt"}

# First words of commands that come later: what the original's listings say of them is left out of the comparison.
LATER = {"spire-server": set(), "spire-agent": {"debug", "logger"}}
# Files of the session whose contents it does not show.
BAD_FILES = {
    "bad1.conf": lambda good: 'server {\n  trust_domain = "example.org"\n  bind_port = 8081\n',
    "bad2.conf": lambda good: re.sub(r"bind_port = \d+", 'bind_port = "x"', good),
}
# Commands of ours that the original does not have.
ADDED = {"spire-server": {"audit", "backup", "dev", "migrate"}, "spire-agent": set()}
# The same below one of the original's words.
ADDED_USES = dict.fromkeys(("spire-server entry", "spire-server entry bogus"), ("entry apply", "entry explain"))
# Messages that go on, after the original's words, with the key, the remedy and the place.
LONGER = "strconv.ParseInt: parsing"


def offered(program):
    """The first words a program knows, by its own listing."""
    return set(re.findall(r"^    (\S+)", program.command(check=False).stderr, re.M))


def steps(text):
    for block in re.split(r"^(?=\$ )", text, flags=re.M):
        if not block.startswith("$ "):
            continue
        lines = block.rstrip("\n").split("\n")
        # Output without a final newline runs into the next stream's line or the exit line.
        body = re.sub(r"(?<=\S)(?=(?:[12]\| Failed|exit \d+$))", "\n", "\n".join(lines[1:]), flags=re.M).split("\n")
        status = next((int(line[5:]) for line in body if re.fullmatch(r"exit \d+", line)), None)
        yield lines[0][2:], {n: [l[3:] for l in body if l.startswith(f"{n}|")] for n in "12"}, status


def create_token(server, value, trust_domain, path):
    """Creates a join token of a chosen value, which the command line cannot."""
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content
    request = b"\x08\xd8\x04" + field(2, value.encode()) + field(
        3, field(1, trust_domain.encode()) + field(2, path.encode()))
    with grpc.insecure_channel(f"unix://{server.socket}") as channel:
        channel.unary_unary("/spire.api.server.agent.v1.Agent/CreateJoinToken")(request, timeout=10)


class Ids:
    """What the original's ids, tokens and keys are called in this run."""

    def __init__(self):
        self.ours = {}

    def pattern(self, line):
        out, last, names = [], 0, []
        for match in VARIABLE.finditer(line):
            out.append(re.escape(line[last:match.start()]))
            kind, text = match.lastgroup, match.group(0)
            if kind in KEPT and text in self.ours:
                out.append(re.escape(self.ours[text]))
            else:
                out.append(f"({SHAPE[kind]})")
                names.append((kind, text))
            last = match.end()
        out.append(re.escape(line[last:]))
        return re.compile("".join(out)), names

    def learn(self, names, match):
        for (kind, theirs), ours in zip(names, match.groups()):
            if kind in KEPT:
                self.ours.setdefault(theirs, ours)

    def translate(self, text):
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return text


def is_pem_body(line):
    return re.fullmatch(r"[A-Za-z0-9+/=]{4,64}", line) is not None


def without_pem_bodies(lines):
    return [line for line in lines if not is_pem_body(line)]


def test_the_originals_session(samples, make_server, make_agent):
    server = make_server(key_manager="memory").start()
    # Entries are listed by parent: this token comes before every other one, as the session's first did.
    token = "00000000-0000-4000-8000-000000000000"
    create_token(server, token, "example.org", "/node")
    agent = make_agent(server, key_manager="memory").start(token)
    missing = {program.name: LATER[program.name] - offered(program) for program in (server, agent)}
    for name, text in BAD_FILES.items():
        (server.folder / name).write_text(text(server.config.read_text()))
    ids = Ids()
    failures = []
    web_ready = False
    compared = 0
    for command, expected, status in steps((samples / "run" / "transcript.txt").read_text()):
        words = shlex.split(ids.translate(command))
        watches = words[:2] == ["timeout", "2"]
        words = words[2:] if watches else words
        program = server if words[0] == "spire-server" else agent
        if len(words) > 1 and words[1] in missing[program.name]:
            continue
        compared += 1
        words = [
            str(server.socket) if w == "api.sock" else str(agent.socket) if w == "agent.sock" else
            str(server.config) if w == "server.conf" else str(agent.config) if w == "agent.conf" else w
            for w in words[1:]]
        if words[:3] == ["api", "fetch", "x509"] and ids.ours and not web_ready and expected["1"]:
            agent.wait_identity("spiffe://example.org/web")
            agent.wait_identity("spiffe://example.org/db")
            web_ready = True
        if watches:
            got = {"1": watched(agent, len(expected["1"])), "2": []}
            result = None
        else:
            result = program.command(*words, check=False)
            got = {"1": result.stdout.splitlines(), "2": result.stderr.splitlines()}
        if not words:
            expected["2"] = listing(expected["2"], missing[program.name])
            got["2"] = listing(got["2"], ADDED[program.name])
        elif command in ADDED_USES:
            verbs = {use.split()[-1] for use in ADDED_USES[command]}
            expected["2"] = listing(expected["2"], set())
            got["2"] = listing(without_usages(got["2"], ADDED_USES[command]), verbs)
        problems = []
        if status is not None and result and result.returncode != status:
            problems.append(f"exit {result.returncode}, not {status}")
        # Identities are ordered by random entry ids, and a TTL of a minute under its authority is never capped here.
        unordered = words[:2] in (["api", "fetch"], ["api", "watch"])
        for stream in "12":
            if unordered and stream == "1":
                match_unordered(ids, expected[stream], got[stream], problems)
                continue
            theirs, ours = without_pem_bodies(expected[stream]), without_pem_bodies(got[stream])
            if len(theirs) != len(ours):
                problems.append(f"stream {stream}: {len(ours)} lines, not {len(theirs)}:\n" + "\n".join(got[stream]))
                continue
            for line, our in zip(theirs, ours):
                pattern, names = ids.pattern(line)
                match = (pattern.match if LONGER in line else pattern.fullmatch)(our)
                if match:
                    ids.learn(names, match)
                else:
                    problems.append(f"expected {line!r}\n     got {our!r}")
        if problems:
            failures.append("$ " + command[:200] + "\n  " + "\n  ".join(problems))
    assert not failures, "\n\n".join(failures)
    assert compared >= 72


def listing(lines, missing):
    """A listing of commands without those that come later and without the width of its columns."""
    return [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in lines if line.split()[:1] not in [[word] for word in missing]]


def without_usages(lines, commands):
    """The usages of a group's commands without those of the commands named."""
    kept, is_ours = [], False
    for line in lines:
        if line.startswith("Usage of "):
            is_ours = line.removeprefix("Usage of ").rstrip(":") in commands
        if not is_ours:
            kept.append(line)
    return kept


def watched(agent, count):
    """The first lines of `api watch`, which goes on until it is interrupted; then the interruption's exit code is 1."""
    watch = subprocess.Popen(
        [PROGRAMS / "spire-agent", "api", "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "SPIRE_AGENT_PUBLIC_SOCKET": str(agent.socket)})
    lines = [watch.stdout.readline().rstrip("\n") for _ in range(count)]
    watch.send_signal(signal.SIGINT)
    rest, complaint = watch.communicate(timeout=10)
    assert watch.returncode == 1 and rest == "" and complaint, (watch.returncode, rest, complaint)
    return lines


def canonical(line):
    """A JSON line with its identities in order of their names."""
    if not line.startswith(("{", "[")) or len(line) < 3:
        return line
    document = json.loads(line)
    for part in document if isinstance(document, list) else [document]:
        if "svids" in part:
            part["svids"].sort(key=lambda svid: svid["spiffe_id"])
    return json.dumps(document, separators=(",", ":"))


def match_unordered(ids, theirs, ours, problems):
    """Each expected line occurs; used where the order of identities is random."""
    theirs, remaining = [canonical(line) for line in theirs], [canonical(line) for line in ours]
    for line in theirs:
        pattern, names = ids.pattern(line)
        for candidate in remaining:
            match = pattern.fullmatch(candidate)
            if match:
                ids.learn(names, match)
                remaining.remove(candidate)
                break
        else:
            problems.append(f"expected {line[:300]!r} among the output:\n" + "\n".join(ours)[:1500])
    if remaining:
        problems.append(f"unexpected lines: {remaining}")


@pytest.mark.parametrize("program,command", [("server", "validate"), ("server", "run"), ("agent", "validate"), ("agent", "run")])
def test_configuration_errors_name_the_place(lab, tmp_path, program, command):
    broken = tmp_path / "broken.conf"
    broken.write_text("server {\n  trust_domain = \"a\"\n\n\t")
    cli = lab.server if program == "server" else lab.agent
    result = cli.command(command, "-config", broken, check=False)
    assert result.returncode == 1
    assert f'unable to decode configuration at "{broken}"' in result.stderr
    assert re.search(r"At 4:\d: object expected closing RBRACE got: EOF", result.stderr)
