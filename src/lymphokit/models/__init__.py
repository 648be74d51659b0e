"""One module per model, and the registry."""
