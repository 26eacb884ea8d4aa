"""Files, devices and runs.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("flow", sa.String, nullable=False),
        sa.Column("window_since", _TIME),
        sa.Column("window_until", _TIME),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("report", sa.Text),
    )
    op.create_table(
        "devices",
        sa.Column("device_code", sa.String, primary_key=True),
        sa.Column("watermark", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("device_code", sa.String, primary_key=True),
        sa.Column("filename", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("state_since", _TIME, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("rule", sa.String),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", _TIME),
        sa.Column("lease_owner", sa.String),
        sa.Column("lease_until", _TIME),
        sa.Column("key", sa.String),
        sa.Column("sha256", sa.String),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("grade", sa.String),
        sa.Column("mirrored_at", _TIME),
        sa.Column("last_read_at", _TIME),
        sa.Column("quarantine_key", sa.String),
        sa.Column("quarantine_sha256", sa.String),
        sa.Column("settled_at", _TIME),
        sa.Column("settled_bytes", sa.BigInteger),
        sa.Column("first_listed_at", _TIME, nullable=False),
        sa.Column("last_listed_at", _TIME, nullable=False),
        sa.Column("first_run_id", sa.String, sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("last_run_id", sa.String, sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("product_code", sa.String),
        sa.Column("begins_at", _TIME),
        sa.Column("ends_at", _TIME),
        sa.Column("archived_at", _TIME),
        sa.Column("modified_at", _TIME),
        sa.Column("stored_bytes", sa.BigInteger),
        sa.Column("uncompressed_bytes", sa.BigInteger),
        sa.Column("compression", sa.String),
        sa.Column("exact_name", sa.Text),
        sa.Column("row", sa.Text, nullable=False),
    )
    op.create_index("files_by_state", "files", ["device_code", "state"])
