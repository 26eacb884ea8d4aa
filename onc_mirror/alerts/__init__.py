"""Telling people what is wrong: what counts as wrong, whom it was told to, and how it gets there."""
