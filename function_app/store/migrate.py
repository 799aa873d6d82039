"""Brings the database to the tables that this version of the code wants.

`python -m function_app.store.migrate` does it by hand, with the app's own settings.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command, config

_FOLDER: Final = Path(__file__).parent / "migrations"

_LOCK_KEY: Final = 0x53_50_46_4C
"""Ours alone in the database: whoever starts at the same time waits, and then finds nothing to do."""


def migrate(connection: sa.Connection) -> None:
    """In the connection's transaction: all of it or nothing. The second time changes nothing."""
    # The lock goes with the transaction, which a connection pooler keeps on one connection.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    alembic = config.Config()
    alembic.set_main_option("script_location", str(_FOLDER))
    alembic.attributes["connection"] = connection
    command.upgrade(alembic, "head")


def main() -> None:
    """Migrates the database that the settings name."""
    from function_app import settings
    from function_app.store import database

    connected = database.connect(settings.read())
    try:
        connected.run(migrate)
    finally:
        connected.close()


if __name__ == "__main__":
    main()
