"""Where the proxy finds the keys of its one user."""

ACCESS_KEY_VARIABLE = "SANDBOX_SWIFT_ACCESS_KEY"
SECRET_KEY_VARIABLE = "SANDBOX_SWIFT_SECRET_KEY"  # noqa: S105 - the name of a variable
