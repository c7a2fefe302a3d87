# SPDX-License-Identifier: Apache-2.0
"""Real server and agent processes on temporary sockets."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("SPIRE_PROGRAMS", ROOT / ".build" / "debug"))
SYNC_EVERY_SECOND = """experimental {
        sync_interval = "1s"
    }"""
SAMPLES = pathlib.Path(os.environ.get("SPIRE_SAMPLES", ROOT.parent / "shared" / "samples"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, timeout=20.0):
    """Polls until `condition` is true: other processes' progress can only be observed."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)


class Program:
    """One running server or agent."""

    name = ""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.log_path = folder / f"{self.name}.log"

    def launch(self, *arguments, env=None, prefix=()):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*prefix, PROGRAMS / self.name, *map(str, arguments)], stdout=log, stderr=log, cwd=self.folder,
            env={**os.environ, **(env or {})})
        log.close()

    def command(self, *arguments, check=True, input=None, env=None, cwd=None):
        result = subprocess.run(
            [PROGRAMS / self.name, *map(str, arguments)], capture_output=True, text=True, timeout=60, input=input,
            cwd=cwd or self.folder, env={**os.environ, **(env or {})})
        if check:
            assert result.returncode == 0, f"{arguments}: exit {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not stop on SIGTERM\n{self.log()[-3000:]}")
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()


class Server(Program):
    name = "spire-server"

    def __init__(self, folder, trust_domain="example.org", settings="", plugins="", key_manager="disk", port=None,
                 datastore=None, bind="127.0.0.1"):
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        datastore = datastore or f'''database_type = "sqlite3"
            connection_string = "{folder}/data/datastore.sqlite3"'''
        self.trust_domain = trust_domain
        self.port = port or free_port()
        self.socket = folder / "api.sock"
        self.config = folder / "server.conf"
        manager = {
            "disk": f'KeyManager "disk" {{ plugin_data {{ keys_path = "{folder}/data/keys.json" }} }}',
            "memory": 'KeyManager "memory" { plugin_data {} }',
        }[key_manager]
        self.config.write_text(f"""
server {{
    bind_address = "{bind}"
    bind_port = {self.port}
    socket_path = "{self.socket}"
    trust_domain = "{trust_domain}"
    data_dir = "{folder}/data"
    log_level = "DEBUG"
    {settings}
}}
plugins {{
    DataStore "sql" {{
        plugin_data {{
            {datastore}
        }}
    }}
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    {manager}
    {plugins}
}}
""")

    def start(self, wait=True, **options):
        self.launch("run", "-config", self.config, **options)
        if wait:
            self.wait_healthy()
        return self

    def wait_healthy(self):
        def healthy():
            assert self.alive(), f"the server ended\n{self.log()[-3000:]}"
            return self("healthcheck", check=False).returncode == 0
        wait_for(healthy, "the server to be healthy")

    def __call__(self, *arguments, check=True, **options):
        words = []
        rest = list(arguments)
        while rest and not str(rest[0]).startswith("-"):
            words.append(rest.pop(0))
        return self.command(*words, "-socketPath", self.socket, *rest, check=check, **options)

    def token(self, spiffe_id=None):
        more = ["-spiffeID", spiffe_id] if spiffe_id else []
        return self("token", "generate", *more).stdout.splitlines()[0].removeprefix("Token: ")

    def write_bundle(self):
        path = self.folder / "bundle.pem"
        path.write_text(self("bundle", "show").stdout)
        return path

    def entry(self, spiffe_id, selector=None, parent=None, *more):
        parent = parent or f"spiffe://{self.trust_domain}/node"
        selector = selector or f"unix:uid:{os.getuid()}"
        made = self("entry", "create", "-parentID", parent, "-spiffeID", spiffe_id, "-selector", selector, *more).stdout
        return made.splitlines()[0].split(": ", 1)[1]


class Agent(Program):
    name = "spire-agent"

    def __init__(self, folder, server, settings="", key_manager="disk", bootstrap=None, address=None):
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.server = server
        self.socket = folder / "agent.sock"
        self.config = folder / "agent.conf"
        host, port = address or ("127.0.0.1", server.port)
        bootstrap = bootstrap or f'trust_bundle_path = "{server.write_bundle()}"'
        manager = {
            "disk": f'KeyManager "disk" {{ plugin_data {{ directory = "{folder}/data" }} }}',
            "memory": 'KeyManager "memory" { plugin_data {} }',
        }[key_manager]
        self.config.write_text(f"""
agent {{
    data_dir = "{folder}/data"
    log_level = "DEBUG"
    server_address = "{host}"
    server_port = {port}
    socket_path = "{self.socket}"
    trust_domain = "{server.trust_domain}"
    {bootstrap}
    {settings}
}}
plugins {{
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    {manager}
    WorkloadAttestor "unix" {{ plugin_data {{ discover_workload_path = true }} }}
}}
""")

    @property
    def endpoint(self):
        return f"unix://{self.socket}"

    def start(self, token=None, wait=True, **options):
        more = ["-joinToken", token] if token else []
        self.launch("run", "-config", self.config, *more, **options)
        if wait:
            self.wait_healthy()
        return self

    def wait_healthy(self):
        def healthy():
            assert self.alive(), f"the agent ended\n{self.log()[-3000:]}"
            return self("healthcheck", check=False).returncode == 0
        wait_for(healthy, "the agent to be healthy", timeout=30)

    def __call__(self, *arguments, check=True, **options):
        words = []
        rest = list(arguments)
        while rest and not str(rest[0]).startswith("-"):
            words.append(rest.pop(0))
        return self.command(*words, "-socketPath", self.socket, *rest, check=check, **options)

    def wait_identity(self, spiffe_id):
        return wait_for(
            lambda: spiffe_id in self("api", "fetch", "x509", check=False).stdout and spiffe_id, f"{spiffe_id}", timeout=30)


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, input=input, timeout=30)


def as_uid(uid, *arguments):
    """Runs a program as another user."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv to become another user")
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *map(str, arguments)], capture_output=True,
        text=True, timeout=60)
