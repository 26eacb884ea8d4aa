"""A lost ledger made anew from the bucket alone."""
