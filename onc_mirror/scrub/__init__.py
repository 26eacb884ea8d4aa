"""Stored objects read back and held against what was proven."""
