"""The keys of the proxy's one user."""

ACCESS_KEY_VARIABLE = "SANDBOX_SWIFT_ACCESS_KEY"
SECRET_KEY_VARIABLE = "SANDBOX_SWIFT_SECRET_KEY"  # noqa: S105 - the name of a variable

# Where all data is, whatever the access key.
ACCOUNT = "AUTH_0"


def is_usable(access_key: str) -> bool:
    """Say whether Swift can have a user with this access key.

    It puts the account in place of the access key in paths, by text, more than once for some requests.
    """
    return access_key not in f"/v1/{ACCOUNT}"
