"""The Oceans 3.0 archive stand-in: an HTTP server that answers like data.oceannetworks.ca, with faults on demand.

`sea` says which files exist as a pure function of settings and clock, `contents` gives their bytes, `answers` and
`server` speak the API, `faults` and `sending` break it on demand. Facts about the real API were collected from
public sources only; what could not be known is a setting of `config.ArchiveConfig`.
"""
