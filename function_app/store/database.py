"""The connection pool, and what a lost connection means: try again for a while, then say that it is away."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import exc

from function_app import errors, settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

CONNECT_LIMIT_SECONDS: Final = 3
STATEMENT_LIMIT_SECONDS: Final = 10
POOL_LIMIT_SECONDS: Final = 5
_FIRST_DELAY_SECONDS: Final = 0.05
_LONGEST_DELAY_SECONDS: Final = 0.5

ENTRA_SCOPE: Final = "https://ossrdbms-aad.database.windows.net/.default"


class Database:
    """Transactions on one PostgreSQL database; any thread may use it."""

    def __init__(self, engine: sa.Engine, *, retry_seconds: float) -> None:
        self._engine = engine
        self._retry_seconds = retry_seconds

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work` in one transaction.

        When the connection is lost the whole of it is done again, even where the commit had arrived and only
        its answer was lost: `work` must be harmless to repeat. Raises StoreUnavailableError.
        """
        return self._run(work, retry_seconds=self._retry_seconds)

    def ping(self) -> None:
        """One short try. Raises StoreUnavailableError."""
        self._run(lambda connection: connection.execute(sa.text("SELECT 1")), retry_seconds=0)

    def close(self) -> None:
        """Closes every connection; the next use opens new ones."""
        self._engine.dispose()

    def _run(self, work: Callable[[sa.Connection], T], *, retry_seconds: float) -> T:
        deadline = time.monotonic() + retry_seconds
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            # Lost or refused connections, a server that starts or stops, deadlocks, time limits, a full pool.
            except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
                if time.monotonic() + delay > deadline:
                    # The driver's own text stays out of the message: it may name hosts and users.
                    log.warning("store_unavailable", reason=type(error).__name__)
                    raise errors.StoreUnavailableError from error
            time.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)


def connect(read: settings.Settings) -> Database:
    """No connection is made before the first use."""
    engine = sa.create_engine(
        read.database_url.get_secret_value(),
        pool_size=read.database_pool_connections,
        max_overflow=0,
        pool_timeout=POOL_LIMIT_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_LIMIT_SECONDS,
            # A network that swallows packets is found in seconds instead of hours.
            "tcp_user_timeout": STATEMENT_LIMIT_SECONDS * 1000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            # Behind PgBouncer in transaction mode a prepared statement may be another connection's.
            "prepare_threshold": None,
        },
    )
    sa.event.listen(engine, "connect", _limit_statements)
    if read.database_entra_auth:
        sa.event.listen(engine, "do_connect", _EntraPassword(_default_credential()))
    return Database(engine, retry_seconds=read.database_retry_seconds)


def _limit_statements(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{STATEMENT_LIMIT_SECONDS}s'; SET timezone = 'UTC'")
    connection.commit()


class _EntraPassword:
    """Gives each new connection a fresh token as its password; the credential caches it."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    def __call__(self, _dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        parameters["password"] = self._credential.get_token(ENTRA_SCOPE).token


def _default_credential() -> Any:
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()
