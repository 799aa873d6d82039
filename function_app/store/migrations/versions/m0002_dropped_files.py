"""Files in the drop folder; glossaries, and jobs that begin with another job's transcript."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds a table, and two columns that the version before does not miss."""
    op.add_column(
        "jobs",
        sa.Column("glossary", postgresql.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    )
    op.add_column("jobs", sa.Column("source_job_id", sa.Text))
    op.create_table(
        "dropped_files",
        sa.Column("tenant_id", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("job_id", sa.Text),
        sa.Column("manifest_etag", sa.Text),
        sa.Column("rejection", postgresql.JSONB),
        sa.PrimaryKeyConstraint("tenant_id", "path", "etag", name="pk_dropped_files"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.job_id"], name="fk_dropped_files_jobs", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_dropped_files_job", "dropped_files", ["job_id"], unique=True)
    op.create_index(
        "ix_dropped_files_open",
        "dropped_files",
        ["status", "seen_at"],
        postgresql_where=sa.text("told <> 'end'"),
    )


def downgrade() -> None:
    """Drops them, with everything in them."""
    op.drop_table("dropped_files")
    op.drop_column("jobs", "source_job_id")
    op.drop_column("jobs", "glossary")
