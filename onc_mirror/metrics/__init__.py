"""What operators watch in numbers: counted while runs work, kept in the ledger, told in Prometheus's text format."""
