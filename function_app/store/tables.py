"""The tables; `migrations/` makes them, and a test holds the two to each other."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata: Final = sa.MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s"}
)

_OPEN: Final = "status IN ('pending_upload', 'queued', 'processing')"

jobs: Final = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("workflow", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("source_language", sa.Text),
    sa.Column("target_language", sa.Text, nullable=False),
    sa.Column("language", sa.Text),
    sa.Column("language_confidence", sa.Float),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("metadata", postgresql.JSONB, nullable=False),
    sa.Column("source", postgresql.JSONB(none_as_null=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("error", postgresql.JSONB(none_as_null=True)),
    sa.Column("glossary", postgresql.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("source_job_id", sa.Text),
    # One for each filter of the list, in the list's own order, so that a page is read and never sorted.
    sa.Index("ix_jobs_created", "tenant_id", sa.text("created_at DESC"), sa.text("job_id DESC")),
    sa.Index("ix_jobs_status", "tenant_id", "status", sa.text("created_at DESC"), sa.text("job_id DESC")),
    sa.Index("ix_jobs_workflow", "tenant_id", "workflow", sa.text("created_at DESC"), sa.text("job_id DESC")),
    sa.Index("ix_jobs_language", "tenant_id", "language", sa.text("created_at DESC"), sa.text("job_id DESC")),
    # The sweep's: finished jobs, nearly all of them, are not in it.
    sa.Index("ix_jobs_open", "status", "updated_at", "job_id", postgresql_where=sa.text(_OPEN)),
)

job_steps: Final = sa.Table(
    "job_steps",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("run", sa.Integer, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("error", postgresql.JSONB(none_as_null=True)),
    sa.Column("skipped_because", sa.Text),
    sa.Column("audio_seconds_total", sa.Float),
    sa.Column("chunks_total", sa.Integer),
    sa.Column("usage", postgresql.JSONB(none_as_null=True)),
)

chunk_outcomes: Final = sa.Table(
    "chunk_outcomes",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("run", sa.Integer, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("chunk", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("audio_seconds", sa.Float, nullable=False),
    sa.Column("error", postgresql.JSONB(none_as_null=True)),
    sa.Column("usage", postgresql.JSONB, nullable=False),
    sa.ForeignKeyConstraint(
        ["job_id", "run", "step"], ["job_steps.job_id", "job_steps.run", "job_steps.step"], ondelete="CASCADE"
    ),
)

dropped_files: Final = sa.Table(
    "dropped_files",
    metadata,
    # The same version of a file is never two rows, and so never two jobs.
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id", ondelete="SET NULL")),
    sa.Column("manifest_etag", sa.Text),
    sa.Column("rejection", postgresql.JSONB(none_as_null=True)),
    sa.Index("ix_dropped_files_job", "job_id", unique=True),
    sa.Index("ix_dropped_files_open", "status", "seen_at", postgresql_where=sa.text("told <> 'end'")),
)
