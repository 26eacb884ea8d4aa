"""Archive, ledger and bucket compared, and what is missing fetched again."""
