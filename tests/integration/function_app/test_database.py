"""What the store's database does when it is new, old, shared, killed or not there."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import autogenerate
from alembic.runtime import migration

from contracts import jobs
from function_app import errors
from function_app.store import database, migrate, postgres, tables
from local_stack import free_ports
from local_stack import postgres as postgres_process
from tests.integration.function_app import store_fixtures as given


def test_migrations_make_exactly_the_tables_that_the_code_has(
    postgres_server: postgres_process.PostgresProcess,
) -> None:
    url = postgres_server.create_database("migrated")
    store = postgres.connect(given.store_settings(url))
    store.migrate()
    store.migrate()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = migration.MigrationContext.configure(connection)
        assert autogenerate.compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == "0002"
    engine.dispose()
    store.close()


def test_those_that_start_at_once_migrate_once(postgres_server: postgres_process.PostgresProcess) -> None:
    url = postgres_server.create_database("raced")
    start, failures = threading.Barrier(4), []

    def race() -> None:
        store = postgres.connect(given.store_settings(url))
        start.wait(10)
        try:
            store.migrate()
            store.create(given.new_job())
        except errors.FunctionAppError as error:
            failures.append(error)
        store.close()

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert failures == []


def test_command_migrates_the_database_of_the_settings(
    postgres_server: postgres_process.PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database("commanded")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "unused")
    monkeypatch.setenv("SERVICE_BUS_CONNECTION_STRING", "unused")
    migrate.main()
    store = postgres.connect(given.store_settings(url))
    assert store.create(given.new_job()).status is jobs.JobStatus.PENDING_UPLOAD
    store.close()


def test_store_outlives_a_killed_server(tmp_path: Path) -> None:
    with postgres_process.running_postgres(tmp_path) as server:
        store = postgres.connect(given.store_settings(server.url(), database_retry_seconds=60))
        store.migrate()
        before = store.create(given.new_job())
        server.kill()
        found: list[object] = []
        waiting = threading.Thread(target=lambda: found.append(store.find(before.job_id)))
        waiting.start()
        with postgres_process.running_postgres(tmp_path, server.port):
            waiting.join(90)
            assert found == [before]
            assert store.queue(job_id=before.job_id, source=given.SOURCE)
        store.close()


def test_store_that_is_away_is_an_error_within_its_limit() -> None:
    url = f"postgresql://postgres:x@127.0.0.1:{free_ports.free_port()}/postgres"
    store = postgres.connect(given.store_settings(url, database_retry_seconds=0.5))
    began = time.monotonic()
    with pytest.raises(errors.StoreUnavailableError) as away:
        store.find("x")
    with pytest.raises(errors.StoreUnavailableError):
        store.ping()
    assert time.monotonic() - began < 5
    assert "127.0.0.1" not in str(away.value)
    store.close()


def test_busy_pool_is_an_error_within_its_limit(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "POOL_LIMIT_SECONDS", 0.2)
    busy = database.connect(
        given.store_settings(database_url, database_pool_connections=1, database_retry_seconds=0.1)
    )
    inside, done = threading.Event(), threading.Event()

    def hold(_connection: sa.Connection) -> None:
        inside.set()
        done.wait(10)

    holder = threading.Thread(target=busy.run, args=(hold,))
    holder.start()
    assert inside.wait(10)
    with pytest.raises(errors.StoreUnavailableError):
        busy.ping()
    done.set()
    holder.join(10)
    busy.ping()
    busy.close()


def test_entra_token_is_the_password_of_each_new_connection() -> None:
    class Credential:
        def get_token(self, scope: str) -> object:
            assert scope == "https://ossrdbms-aad.database.windows.net/.default"
            return type("Token", (), {"token": "fresh"})()

    parameters = {"user": "speech-flow"}
    database._EntraPassword(Credential())(None, None, [], parameters)
    assert parameters == {"user": "speech-flow", "password": "fresh"}


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        pytest.param({}, "ix_jobs_created", id="all"),
        pytest.param({"status": "failed"}, "ix_jobs_status", id="status"),
        pytest.param({"workflow": "lid_only"}, "ix_jobs_workflow", id="workflow"),
        pytest.param({"language": "es"}, "ix_jobs_language", id="language"),
    ],
)
def test_page_of_the_list_is_read_from_an_index_without_sorting(
    postgres_server: postgres_process.PostgresProcess, narrowed: dict[str, str], index: str
) -> None:
    url = postgres_server.create_database("planned")
    store = postgres.connect(given.store_settings(url))
    store.migrate()
    engine = sa.create_engine(url)
    job = tables.jobs.c
    page = (
        sa.select(tables.jobs)
        .where(job.tenant_id == "default", *(job[name] == value for name, value in narrowed.items()))
        .where(sa.tuple_(job.created_at, job.job_id) < sa.tuple_(sa.func.now(), "x"))
        .order_by(job.created_at.desc(), job.job_id.desc())
        .limit(21)
    )
    query = page.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.begin() as connection:
        # A table with a handful of rows is scanned whatever its indexes are.
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        connection.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(row[0] for row in connection.execute(sa.text(f"EXPLAIN {query}")))
    assert index in plan
    assert "Sort" not in plan
    engine.dispose()
    store.close()
