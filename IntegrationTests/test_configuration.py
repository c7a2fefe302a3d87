# SPDX-License-Identifier: Apache-2.0
"""The server's configuration as an operator meets it: files, flags, environment, signals, and every mistake at once."""
import json
import os
import re
import signal
import subprocess

from programs import free_port, wait_for


def test_validate_and_run_name_every_mistake_with_its_place(lab, tmp_path):
    broken = tmp_path / "broken.conf"
    broken.write_text("""server {
    trust_domain = "Bad Domain"
    bind_port = 70000
    ca_key_type = "dsa"
    log_format = "xml"
    nonsense = true
    admin_ids = ["x"]
    ca_ttl = "1d"
    proxy_protocol_trusted_cidrs = ["1.2.3.4"]
    profiling_enabled = true
    federation { federates_with "a.org" { bundle_endpoint_url = "http://a" } }
}
plugins {}
""")
    expected = {
        2: "could not parse trust_domain", 3: "could not resolve bind address", 4: "error parsing ca_key_type",
        5: 'unknown logger format: "xml"', 6: 'unknown configuration detected: "server.nonsense"',
        7: 'could not parse admin ID "x"', 8: "could not parse default CA ttl",
        9: 'invalid proxy_protocol_trusted_cidrs value "1.2.3.4"', 10: "is not implemented in this release",
        11: "must use the HTTPS protocol",
    }
    for command in ["validate", "run"]:
        result = lab.server.command(command, "-config", broken, check=False)
        assert result.returncode == 1
        for line, text in expected.items():
            assert any(text in found and f"{broken}:{line}:" in found for found in result.stderr.splitlines()), (line, text)
        assert "data_dir must be configured" in result.stderr
        # The plugins are not forgotten over the rest.
        assert "expecting a DataStore plugin" in result.stderr
        assert 'plugin type "KeyManager" constraint not satisfied: expected exactly 1 but got 0' in result.stderr


def test_flags_win_over_the_file(make_server, tmp_path):
    server = make_server()
    port = free_port()
    log = tmp_path / "by-flag.log"
    server.launch(
        "run", "-config", server.config, "-serverPort", port, "-logFile", log, "-logFormat", "json", "-logLevel", "info")
    server.wait_healthy()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning", "error"}
    assert any(line["msg"] == "Starting Server APIs" and line["address"] == f"127.0.0.1:{port}" for line in lines)


def test_the_environment_is_expanded_only_when_asked(make_server):
    server = make_server()
    text = server.config.read_text().replace('trust_domain = "example.org"', 'trust_domain = "${OUR_DOMAIN}"')
    server.config.write_text(text)
    env = {"OUR_DOMAIN": "from.env"}
    without = server.command("validate", "-config", server.config, check=False, env=env)
    assert without.returncode == 1 and "could not parse trust_domain" in without.stderr
    server.launch("run", "-config", server.config, "-expandEnv", env=env)
    server.wait_healthy()
    assert json.loads(server("bundle", "show", "-output", "json").stdout)["trust_domain"] == "from.env"


def test_the_log_file_is_opened_anew_on_a_signal_and_another_signal_does_no_harm(make_server, tmp_path):
    server = make_server(settings=f'log_file = "{tmp_path}/server.log"').start()
    log, moved = tmp_path / "server.log", tmp_path / "moved.log"
    assert oct(log.stat().st_mode & 0o777) == "0o640"
    log.rename(moved)
    server.process.send_signal(signal.SIGUSR1)
    server.process.send_signal(signal.SIGUSR2)
    wait_for(log.exists, "the new log file")
    server("logger", "set", "-level", "trace")
    wait_for(lambda: "SetLogLevel Called" in log.read_text(), "a line in the new file")
    assert "SetLogLevel Called" not in moved.read_text()
    assert server.stop() == 0
    assert "Server stopped gracefully" in log.read_text()


def test_log_levels_change_while_the_server_runs(make_server):
    server = make_server(settings="").start()
    assert json.loads(server("logger", "get", "-output", "json").stdout) == {"current_level": "DEBUG", "launch_level": "DEBUG"}
    assert server("logger", "set", "-level", "ERROR").stdout == "Logger Level : error\nLaunch Level : debug\n\n"
    before = len(server.log())
    server("logger", "get")
    assert len(server.log()) == before, "an info line was written at level error"
    assert server("logger", "reset").stdout == "Logger Level : debug\nLaunch Level : debug\n\n"


def test_agents_get_the_lifetime_of_agent_ttl(make_server, make_agent):
    server = make_server(settings='agent_ttl = "17m"').start()
    agent = make_agent(server).start(server.token("spiffe://example.org/node"))
    assert agent.alive()
    listed = json.loads(server("agent", "list", "-output", "json").stdout)["agents"][0]
    remaining = int(listed["x509svid_expires_at"]) - int(subprocess.check_output(["date", "+%s"]))
    assert 16 * 60 <= remaining <= 17 * 60 + 1


def test_socket_by_flag_environment_and_instance(make_server):
    server = make_server().start()
    folder = server.socket.parent
    by_environment = server.command("agent", "count", env={"SPIRE_SERVER_PRIVATE_SOCKET": str(server.socket)})
    by_instance = server.command(
        "agent", "count", "-instance", server.socket.stem, env={"SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE": f"{folder}/%i.sock"})
    by_flag = server.command("agent", "count", "-socketPath", os.path.relpath(server.socket, server.folder))
    assert by_environment.stdout == by_instance.stdout == by_flag.stdout == "0 attested agents\n"
    nowhere = server.command("agent", "count", "-socketPath", "/nonexistent.sock", check=False)
    assert nowhere.returncode == 1 and re.match("Error: rpc error: code = Unavailable ", nowhere.stderr)
