"""The console script `onc-mirror`: results on stdout, progress and logs on stderr, meaning in the exit code.

0 everything accounted for and nothing wrong, 1 something failed, 2 usage or configuration, 3 done, but files are
held or quarantined.
"""
