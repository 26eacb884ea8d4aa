"""Where the mirror runs. Nothing in `onc_mirror`, `tasks` or `flows` imports from here."""
