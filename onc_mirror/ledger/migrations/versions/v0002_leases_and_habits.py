"""Leases for several workers, revisions of files, suspicion of devices, what a file contained.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add tables, columns and indexes; nothing is lost."""
    op.create_table(
        "slots",
        sa.Column("lane", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("lease_until", _TIME, nullable=False),
    )
    op.add_column("runs", sa.Column("alive_until", _TIME))
    op.add_column("devices", sa.Column("suspicion", sa.String))
    op.add_column("devices", sa.Column("suspicious_since", _TIME))
    op.add_column("files", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    op.add_column("files", sa.Column("found", sa.Text))
    op.create_index("files_by_lease", "files", ["lease_owner"])
    op.create_index("files_by_archive_time", "files", ["device_code", "archived_at"])
    op.create_index("files_by_data_time", "files", ["device_code", "begins_at"])
    op.create_index("files_by_reading", "files", ["state", "last_read_at"])
