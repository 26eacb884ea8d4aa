"""The extension of each file, so that a run finds at once which filtered files its selection wants by now.

Revision ID: 0003
"""

from pathlib import PurePosixPath

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROWS_AT_ONCE = 5000
_LONGEST = 40


def upgrade() -> None:
    """Add the column, fill it, and let the index by state go on with rule and extension."""
    op.add_column("files", sa.Column("extension", sa.String))
    _fill()
    op.drop_index("files_by_state", "files")
    op.create_index("files_by_state", "files", ["device_code", "state", "rule", "extension"])


def _fill() -> None:
    files = sa.table("files", *(sa.column(name) for name in ("device_code", "filename", "extension")))
    connection = op.get_bind()
    key = sa.tuple_(files.c.device_code, files.c.filename)
    after = ("", "")
    statement = (
        sa.update(files)
        .where(files.c.device_code == sa.bindparam("code"), files.c.filename == sa.bindparam("name"))
        .values(extension=sa.bindparam("of_name"))
    )
    while True:
        query = sa.select(files.c.device_code, files.c.filename).where(key > sa.tuple_(*map(sa.literal, after)))
        rows = connection.execute(query.order_by(*key).limit(_ROWS_AT_ONCE)).all()
        if not rows:
            return
        connection.execute(
            statement, [{"code": code, "name": name, "of_name": _extension(name)} for code, name in rows]
        )
        after = (rows[-1].device_code, rows[-1].filename)


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lstrip(".").lower()[:_LONGEST]
