"""Vote, mean, stack and nested choices over models."""
