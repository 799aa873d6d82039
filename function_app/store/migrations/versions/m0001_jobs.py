"""Jobs, their steps, and what became of chunks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_NEWEST_FIRST = (sa.text("created_at DESC"), sa.text("job_id DESC"))


def upgrade() -> None:
    """Creates the three tables."""
    _create_jobs()
    _create_job_steps()
    _create_chunk_outcomes()


def downgrade() -> None:
    """Drops them, with everything in them."""
    op.drop_table("chunk_outcomes")
    op.drop_table("job_steps")
    op.drop_table("jobs")


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text),
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
        sa.Column("source", postgresql.JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", postgresql.JSONB),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_created", "jobs", ["tenant_id", *_NEWEST_FIRST])
    op.create_index("ix_jobs_status", "jobs", ["tenant_id", "status", *_NEWEST_FIRST])
    op.create_index("ix_jobs_workflow", "jobs", ["tenant_id", "workflow", *_NEWEST_FIRST])
    op.create_index("ix_jobs_language", "jobs", ["tenant_id", "language", *_NEWEST_FIRST])
    op.create_index(
        "ix_jobs_open",
        "jobs",
        ["status", "updated_at", "job_id"],
        postgresql_where=sa.text("status IN ('pending_upload', 'queued', 'processing')"),
    )


def _create_job_steps() -> None:
    op.create_table(
        "job_steps",
        sa.Column("job_id", sa.Text),
        sa.Column("run", sa.Integer),
        sa.Column("step", sa.Text),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", postgresql.JSONB),
        sa.Column("skipped_because", sa.Text),
        sa.Column("audio_seconds_total", sa.Float),
        sa.Column("chunks_total", sa.Integer),
        sa.Column("usage", postgresql.JSONB),
        sa.PrimaryKeyConstraint("job_id", "run", "step", name="pk_job_steps"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_job_steps_jobs", ondelete="CASCADE"),
    )


def _create_chunk_outcomes() -> None:
    op.create_table(
        "chunk_outcomes",
        sa.Column("job_id", sa.Text),
        sa.Column("run", sa.Integer),
        sa.Column("step", sa.Text),
        sa.Column("chunk", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("audio_seconds", sa.Float, nullable=False),
        sa.Column("error", postgresql.JSONB),
        sa.Column("usage", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "run", "step", "chunk", name="pk_chunk_outcomes"),
        sa.ForeignKeyConstraint(
            ["job_id", "run", "step"],
            ["job_steps.job_id", "job_steps.run", "job_steps.step"],
            name="fk_chunk_outcomes_job_steps",
            ondelete="CASCADE",
        ),
    )
