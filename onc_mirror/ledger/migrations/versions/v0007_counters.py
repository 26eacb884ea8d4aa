"""What runs have counted since the ledger began, and the end of each flow's last runs, answered by an index.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a table and an index."""
    op.create_table(
        "counters",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("device_code", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.create_index("runs_by_end", "runs", ["finished_at", "flow", "state", "started_at"])
