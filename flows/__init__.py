"""The stories that an operator tells: what runs over what, in which order."""
