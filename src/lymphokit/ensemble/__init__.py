"""Many models, one answer."""
