"""What Alembic runs around the revisions: they join the transaction that `migrating.migrate` was given."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
