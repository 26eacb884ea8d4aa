"""What is wrong, who was told of it, and which runs were weighed; when damage was found, also once it is mended.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add tables, columns and indexes; runs of before count as weighed."""
    op.create_table(
        "alerts",
        sa.Column("cause", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("opened_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("latest", _TIME, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("link", sa.String, nullable=False),
    )
    op.create_table(
        "tellings",
        sa.Column("cause", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("receiver", sa.String, primary_key=True),
        sa.Column("told_at", _TIME, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("latest", _TIME, nullable=False),
    )
    op.add_column("runs", sa.Column("link", sa.String))
    op.add_column("runs", sa.Column("weighed_at", _TIME))
    op.execute("UPDATE runs SET weighed_at = started_at")
    op.create_index("runs_by_weighing", "runs", ["weighed_at"])
    op.add_column("files", sa.Column("damage_found_at", _TIME))
    op.execute("UPDATE files SET damage_found_at = damaged_at WHERE damaged_at IS NOT NULL")
    op.create_index("files_by_damage", "files", ["damage_found_at"])
