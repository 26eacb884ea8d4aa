"""Whether anything was mirrored since a moment, answered by an index.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add an index."""
    op.create_index("files_by_mirroring", "files", ["mirrored_at"])
