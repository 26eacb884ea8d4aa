"""One archive file from the archive to its end: downloaded, proven, published, or held for a reason."""
