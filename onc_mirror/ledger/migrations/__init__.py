"""Alembic revisions of the ledger. Write a new one for every change of `tables`; never edit one that was released."""
