"""What the commands of `lymphokit` do, where it is more than a call of another package."""
