# SPDX-License-Identifier: Apache-2.0
"""Several servers on one real database, and what stands between them: gateways that can be pointed elsewhere or cut."""
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import threading
import time

from programs import ROOT, Server

DATABASES = ROOT / "IntegrationTests" / "databases"


class Gateway:
    """A TCP port that hands each connection to one of its backends, in turn; a cut one refuses and drops all."""

    def __init__(self, *backends, host="127.0.0.1"):
        self.backends = list(backends)
        self.open = True
        self.turn = 0
        self.links = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server((host, 0), backlog=512)
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(connection,), daemon=True).start()

    def carry(self, near):
        far = None
        with self.lock:
            backends = self.backends if self.open else []
            start, self.turn = self.turn, self.turn + 1
        for number in range(len(backends)):
            try:
                far = socket.create_connection(backends[(start + number) % len(backends)], timeout=5)
                break
            except OSError:
                continue
        if far is None:
            return near.close()
        far.settimeout(None)
        with self.lock:
            self.links.add((near, far))
        try:
            pairs = {near: far, far: near}
            while True:
                for end in select.select(list(pairs), [], [])[0]:
                    part = end.recv(65536)
                    if not part:
                        return
                    pairs[end].sendall(part)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.links.discard((near, far))
            near.close()
            far.close()

    def drop(self):
        """Ends every connection there is."""
        with self.lock:
            links = list(self.links)
        for link in links:
            for end in link:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def cut(self):
        self.open = False
        self.drop()

    def restore(self, *backends):
        if backends:
            self.backends = list(backends)
        self.open = True

    def close(self):
        self.listener.close()
        self.cut()


class Database:
    """A database server with a replica, reached through a gateway as one reaches a service address."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self.order("start", str(os.getpid()))
        self.values = dict(line.split("=", 1) for line in (self.folder / "env").read_text().splitlines())
        self.gateway = Gateway(self.address("PORT"))
        self.number = 0

    @staticmethod
    def is_available(kind):
        return DATABASES.exists() and subprocess.run([DATABASES, "available", kind]).returncode == 0

    def address(self, name):
        return self.values["HOST"], int(self.values[name])

    def order(self, action, *more):
        # Of its own session: whoever stops the tests must not stop the servers half-way.
        result = subprocess.run(
            [DATABASES, action, self.kind, self.folder, *more], capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, f"{action} {self.kind}: {result.stdout}{result.stderr}"

    def kill(self, which="primary"):
        self.order("kill", which)

    def run(self, which="primary"):
        self.order("run", which)

    def promote(self):
        self.order("promote")

    def sql(self, statement, database=None, which="primary"):
        """Rows as text, columns separated by `|`."""
        if self.kind == "postgres":
            command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p",
                       self.values["PORT" if which == "primary" else "REPLICA_PORT"], "-U", self.values["USER"], "-d",
                       database or "postgres", "-c", statement]
        else:
            command = ["mariadb", "--no-defaults", "-u", "root", f"--socket={self.folder}/{which}.sock", "-N", "-B",
                       database or "mysql", "-e", statement]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        return result.stdout.replace("\t", "|").strip()

    def create(self):
        self.number += 1
        name = f"spire_many{self.number}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def plugin(self, name, host=None, port=None):
        """The `DataStore` plugin's data for a server that reaches the database through the gateway."""
        host, port = host or self.gateway.host, port or self.gateway.port
        user, password = self.values["USER"], self.values["PASSWORD"]
        if self.kind == "postgres":
            kind = "postgres"
            line = f"host={host} port={port} user={user} password={password} dbname={name} sslmode=disable"
        else:
            kind, line = "mysql", f"{user}:{password}@tcp({host}:{port})/{name}?parseTime=true"
        return f'database_type = "{kind}"\n connection_string = "{line}"'

    def wait_replica(self, name, timeout=20):
        """Until the replica has everything the primary has committed."""
        deadline = time.monotonic() + timeout
        while True:
            counts = [
                self.sql("SELECT COUNT(*), MAX(id) FROM registered_entries", name, which) for which in ("primary", "replica")]
            if counts[0] == counts[1]:
                break
            assert time.monotonic() < deadline, f"the replica does not catch up: {counts}"
            time.sleep(0.05)


class Cluster:
    """Servers of one trust domain on one database. Agents reach them through `gateway`."""

    def __init__(self, folder, database, count=3, settings=""):
        self.database = database
        self.name = database.create()
        self.servers = [
            Server(folder / f"s{number}", settings=settings, datastore=database.plugin(self.name)) for number in range(count)]
        self.gateway = Gateway(*(("127.0.0.1", server.port) for server in self.servers))

    def start(self):
        """All at once, on an empty database."""
        for server in self.servers:
            server.start(wait=False)
        for server in self.servers:
            server.wait_healthy()

    def stop(self):
        for server in self.servers:
            if server.alive():
                server.process.terminate()
        for server in self.servers:
            server.stop()
        self.gateway.close()


def authority_count(server):
    """X.509 authorities and JWT keys in the bundle as this server has it."""
    document = server("bundle", "show", "-format", "spiffe").stdout
    return len(re.findall(r'"use": "x509-svid"', document)), len(re.findall(r'"use": "jwt-svid"', document))


def can_make_namespaces():
    if os.getuid() != 0 or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", "spire-probe"], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "delete", "spire-probe"], capture_output=True)
    return made


class Namespace:
    """A network of its own that reaches this one over a link that can be taken down. The host is `host`, it is `own`."""

    def __init__(self, number):
        self.name = f"spire{os.getpid() % 10000}n{number}"
        self.outside, self.inside = f"sp{os.getpid() % 10000}o{number}", f"sp{os.getpid() % 10000}i{number}"
        self.host, self.own = f"10.231.{number}.1", f"10.231.{number}.2"
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.outside, "type", "veth", "peer", "name", self.inside)
        self.ip("link", "set", self.inside, "netns", self.name)
        self.ip("addr", "add", f"{self.host}/30", "dev", self.outside)
        self.ip("link", "set", self.outside, "up")
        self.within("ip", "addr", "add", f"{self.own}/30", "dev", self.inside)
        self.within("ip", "link", "set", self.inside, "up")
        self.within("ip", "link", "set", "lo", "up")

    @property
    def prefix(self):
        return ["ip", "netns", "exec", self.name]

    def within(self, *command):
        self.ip("netns", "exec", self.name, *command)

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def cut(self):
        """Nothing passes and nobody is told, as when a cable is pulled."""
        self.within("ip", "link", "set", self.inside, "down")

    def heal(self):
        self.within("ip", "link", "set", self.inside, "up")

    def close(self):
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        subprocess.run(["ip", "link", "delete", self.outside], capture_output=True)
