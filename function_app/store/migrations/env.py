"""Alembic's entry: runs the migrations on the connection that `migrate` hands it."""

from alembic import context

from function_app.store import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.metadata)
context.run_migrations()
