"""Exact solvers: the max-margin quadratic program and logistic regression."""
