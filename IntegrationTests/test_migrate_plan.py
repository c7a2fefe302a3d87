# SPDX-License-Identifier: Apache-2.0
"""`migrate plan` tells what starting a server would do to its database, and does nothing."""
import sqlite3


def plan(server, check=True):
    return server.command("migrate", "plan", "-config", server.config, check=check)


def test_nothing_is_made_for_a_database_that_is_not_there(make_server):
    server = make_server()
    told = plan(server).stdout
    assert "Schema           : none\n" in told
    assert "Step 1: create schema 25, in one transaction\n" in told
    assert 'CREATE TABLE "registered_entries"' in told
    assert not (server.folder / "data").exists()


def test_an_older_schema_is_left_as_it_is_and_the_steps_named(make_server):
    server = make_server().start()
    server.stop()
    path = server.folder / "data" / "datastore.sqlite3"
    assert "Nothing would be changed.\n" in plan(server).stdout
    with sqlite3.connect(path) as database:
        database.execute("alter table registered_entries drop column additional_attributes")
        database.execute("alter table attested_node_entries drop column agent_version")
        database.execute("update migrations set version = 23, code_version = '1.8.0'")
    before = path.read_bytes()
    told = plan(server).stdout
    assert "Schema           : 23\nLast used by     : 1.8.0\n" in told
    assert "Step 1: schema 23 to 24, in one transaction\n" in told
    assert 'ALTER TABLE "attested_node_entries" ADD "agent_version" varchar(255)\n' in told
    assert "Step 2: schema 24 to 25, in one transaction\n" in told
    assert path.read_bytes() == before
    server.start()
    server.stop()
    assert "Nothing would be changed.\n" in plan(server).stdout


def test_a_schema_that_would_be_refused_is(make_server):
    server = make_server().start()
    server.stop()
    with sqlite3.connect(server.folder / "data" / "datastore.sqlite3") as database:
        database.execute("update migrations set version = 22, code_version = '1.7.0'")
    refused = plan(server, check=False)
    assert refused.returncode == 1
    assert "migrating from schema version 22 requires a previous SPIRE release" in refused.stderr
