"""A real, persistent S3 endpoint out of one package from PyPI: OpenStack Swift with its s3api middleware.

Account, container, object and proxy server run on the loopback address as one process each, without root and without
anything outside the state folder. Nothing is replicated, audited or expired.
"""
