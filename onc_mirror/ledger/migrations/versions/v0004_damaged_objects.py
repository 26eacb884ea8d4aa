"""Since when an object is known to be damaged.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column; what an earlier version held for damage it was about to fetch again anyway."""
    op.add_column("files", sa.Column("damaged_at", sa.DateTime(timezone=True)))
