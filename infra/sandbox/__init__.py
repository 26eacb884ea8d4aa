"""The whole mirror on one machine with no account anywhere: archive stand-in, S3 endpoint, Prefect, worker."""
