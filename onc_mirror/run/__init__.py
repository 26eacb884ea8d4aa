"""A run's life, whatever it does: which devices and windows it asks, what it plans and claims, how it ends."""
