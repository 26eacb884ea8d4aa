"""Named policies around domain calls: what is retried how, what it is called, what an operator sees of it."""
