# SPDX-License-Identifier: Apache-2.0
"""The scenarios that have many entries or many agents; `Benchmarks/run` runs them with its own (see there)."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

DATABASES = pathlib.Path(__file__).resolve().parent.parent / "IntegrationTests" / "databases"


def status_megabytes(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_row(bench, server, title):
    now, most = (status_megabytes(server.pid, name) for name in ("VmRSS", "VmHWM"))
    bench.row(title, f"{now:.0f} MB", "", f"most so far {most:.0f} MB")


def create(bench, server, title, count, batch, *more):
    return bench.load(server, title, "create-entries", "-socket", bench.api, "-count", count, "-batch", batch, *more,
                      key="entries")


def shapes(bench):
    """Whatever entries have in common, creating them costs the same."""
    for shape, title in (("distinct", "nothing in common but the parent"),
                         ("same-id", "one SPIFFE ID and one set of selectors, a parent each"),
                         ("same-selector", "one parent and one set of selectors")):
        server, _, _ = bench.server(f"server-{shape}")
        create(bench, server, f"entry create, 20,000 in batches of 50, {title}", 20_000, 50, "-shape", shape)
        bench.stop()


def large(bench, count=100_000):
    """Everything an operator does with many entries."""
    server, _, _ = bench.server("server-callers")
    create(bench, server, f"entry create in batches of 50 by 4 callers at once, 0 to {count:,}", count, 50, "-callers", 4)
    bench.stop()
    server, _, _ = bench.server()
    token = bench.token()
    for part in range(0, count, 20_000):
        title = f"entry create in batches of 50, {part:,} to {part + 20_000:,}"
        create(bench, server, title, min(20_000, count - part), 50, "-first", part)
    memory_row(bench, server, f"server memory after creating {count:,}")
    report = json.loads(bench.command("spire-load", "list-entries", "-socket", bench.api))
    bench.row(f"list {count:,} entries in one answer, received", f"{report['received_seconds']:.3f} s", "", "")
    bench.row("the same, and made objects of by the caller", f"{report['best_seconds']:.3f} s", "", "")
    memory_row(bench, server, "server memory after listing them")
    bench.load(server, f"count {count:,} entries", "count-entries", "-socket", bench.api, "-seconds", 3)
    report = json.loads(bench.command(
        "spire-load", "authorized", "-server", f"127.0.0.1:{bench.port}", "-token", token).splitlines()[-1])
    bench.row(f"one agent's {report['entries']:,} authorised entries: all at once", f"{report['get_seconds']:.3f} s", "", "")
    bench.row("the same by revisions and pages, default message limits", f"{report['sync_seconds']:.3f} s", "", "")
    bench.row("the same when nothing has changed", f"{report['unchanged_seconds']:.3f} s", "", "")
    bench.row("the same by the stream, default message limits", f"{report['stream_seconds']:.3f} s", "", "")
    bench.row("the stream resumed", f"{report['stream_resumed_seconds']:.3f} s", "", "")
    memory_row(bench, server, "server memory after that")
    restart(bench, server, count)


def restart(bench, server, count):
    took = []
    for _ in range(3):
        server.terminate()
        server.wait(30)
        server, seconds, check = bench.start("spire-server", bench.server_config, bench.api)
        took.append(seconds - check)
    bench.row(f"restart to healthy with {count:,} entries", f"{sorted(took)[1]:.2f} s", f"{cpu_seconds(server.pid):.2f} s", "")
    time.sleep(2)
    memory_row(bench, server, f"server memory after a restart with {count:,} entries")
    return server


def paths(bench):
    """Counting, listing and what an agent may see at 10,000 entries; `large` has them at 100,000."""
    large(bench, 10_000)


def huge(bench):
    server, _, _ = bench.server()
    create(bench, server, "entry create, 500,000 in batches of 500", 500_000, 500)
    restart(bench, server, 500_000)


def open_files(pid):
    """Files a process may open, soft limit."""
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    return 0


def scale(bench, agents=None, mode=None):
    """Thousands of agents on one server. SPIRE_SCALE_AGENTS and SPIRE_SCALE_MODE (push, poll) change the size and the way,
    SPIRE_SCALE_IDLE the seconds without changes: a multiple of 30, so that every agent's question whether the server is
    there is counted."""
    agents = int(os.environ.get("SPIRE_SCALE_AGENTS", agents or 5000))
    mode = os.environ.get("SPIRE_SCALE_MODE", mode or "push")
    idle = os.environ.get("SPIRE_SCALE_IDLE", "60" if mode == "push" else "15")
    server, _, _ = bench.server(sql="log_sql = true")
    bundle = bench.folder / "bundle.pem"
    bundle.write_text(bench.command("spire-server", "bundle", "show", "-socketPath", bench.api))
    out = bench.command(
        "spire-scale", "-server", f"127.0.0.1:{bench.port}", "-admin", bench.api, "-bundle", bundle, "-pid", server.pid,
        "-sqlLog", bench.folder / "spire-server.log", "-agents", agents, "-workloads", 2, "-mode", mode, "-idle", idle,
        "-churn", 10, "-seconds", 30, "-renewals", 2)
    report = json.loads(out.splitlines()[-1])
    title = f"{agents:,} agents, {agents * 2:,} workloads, {mode}"
    bench.row(f"{title}: attestations", f"{report['attestations_per_second']:,.0f}/s",
              f"{report['attestations_cpu_ms_each']:.2f} ms", f"{report['attestation_p50_ms']:.0f} / {report['attestation_p99_ms']:.0f} ms")
    bench.row(f"{title}: connect, first sync, certificates signed", f"{report['starts_per_second']:,.0f}/s",
              f"{report['starts_cpu_ms_each']:.2f} ms", f"{report['first_sync_p50_ms']:.0f} / {report['first_sync_p99_ms']:.0f} ms")
    if mode == "push":
        bench.row(f"{title}: streams opened at once", f"{report['following_per_second']:,.0f}/s",
                  f"{report['following_cpu_ms_each']:.2f} ms", f"{report['streams_complete_changes']:.0f} sent everything anew")
    bench.row(f"{title}: connected", f"{report['server_rss_connected_mb']:.0f} MB", "", f"{open_files(server.pid):,} files allowed")
    bench.row(f"{title}: idle", f"{report['server_rss_idle_mb']:.0f} MB", f"{report['idle_cpu_percent_of_core']:.1f} % of a core",
              f"{report.get('idle_statements_per_second', 0):.2f} statements/s")
    bench.row(f"{title}: 10 entries/s come and go", f"{report['server_rss_end_mb']:.0f} MB",
              f"{report['churn_cpu_percent_of_core']:.1f} % of a core", f"most {report['server_rss_most_mb']:.0f} MB")
    for key, what in (("entry_received", "entry created until its agent has it"),
                      ("entry_signed", "entry created until its certificate is signed"),
                      ("entry_removed", "entry deleted until its agent knows"), ("renewal", "agent renewal")):
        if report.get(f"{key}_count"):
            bench.row(f"{title}: {what}", f"{report[f'{key}_count']:,.0f}", "", f"{report[f'{key}_p50_ms']:.1f} / {report[f'{key}_p99_ms']:.1f} ms")
    bench.row(f"{title}: lost, sent to the wrong agent, failed calls",
              f"{report['entries_lost']:.0f}, {report['entries_misdirected']:.0f}, {report['failures']:.0f}", "",
              report.get("first_failure", ""))
    bench.row(f"{title}: the load generator itself", f"{report['harness_rss_mb']:.0f} MB",
              f"{report['harness_cpu_seconds']:.0f} s", "")


def databases(bench, count=10_000):
    """The same on PostgreSQL and MariaDB, each with a replica that nothing is read from; left out if not installed."""
    for kind, name in (("postgres", "PostgreSQL"), ("mariadb", "MariaDB")):
        if subprocess.run([DATABASES, "available", kind]).returncode != 0:
            bench.row(f"{name}: not installed", "", "", "")
            continue
        # Database servers run as users who may not enter every folder.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="spire-bench-db-")) / "db"
        folder.parent.chmod(0o755)
        subprocess.run([DATABASES, "start", kind, folder, str(os.getpid())], check=True)
        try:
            on_database(bench, kind, name, folder, count)
        finally:
            bench.stop()
            for which in ("replica", "primary"):
                subprocess.run([DATABASES, "kill", kind, folder, which])
            shutil.rmtree(folder.parent, ignore_errors=True)


def on_database(bench, kind, name, folder, count):
    values = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
    host, port, user, password = (values[key] for key in ("HOST", "PORT", "USER", "PASSWORD"))
    if kind == "postgres":
        make = ["psql", "-q", "-h", folder, "-p", port, "-U", user, "-d", "postgres", "-c", "CREATE DATABASE spire_bench"]
        line = f"host={host} port={port} user={user} password={password} dbname=spire_bench sslmode=disable"
    else:
        make = ["mariadb", "--no-defaults", "-u", "root", f"--socket={folder}/primary.sock", "-e", "CREATE DATABASE spire_bench"]
        line = f"{user}:{password}@tcp({host}:{port})/spire_bench?parseTime=true"
    subprocess.run(make, check=True)
    kind = {"mariadb": "mysql"}.get(kind, kind)
    server, _, _ = bench.server(f"server-{kind}", datastore=f'database_type = "{kind}"\n            connection_string = "{line}"')
    token = bench.token()
    create(bench, server, f"{name}: entry create, {count:,} in batches of 50", count, 50)
    report = json.loads(bench.command("spire-load", "list-entries", "-socket", bench.api))
    bench.row(f"{name}: list {count:,} entries in one answer", f"{report['best_seconds']:.3f} s", "", "")
    bench.load(server, f"{name}: count {count:,} entries", "count-entries", "-socket", bench.api, "-seconds", 3)
    report = json.loads(bench.command(
        "spire-load", "authorized", "-server", f"127.0.0.1:{bench.port}", "-token", token).splitlines()[-1])
    title = f"{name}: one agent's {report['entries']:,} authorised entries"
    bench.row(f"{title}: all at once / by pages / unchanged", " / ".join(
        f"{report[key + '_seconds']:.3f} s" for key in ("get", "sync", "unchanged")), "", "")
    memory_row(bench, server, f"{name}: server memory with {count:,} entries")
    restart(bench, server, count)


PARTS = {
    "shapes": shapes, "paths": paths, "large": large, "huge": huge, "scale": scale, "databases": databases,
}
