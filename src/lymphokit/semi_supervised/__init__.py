"""Pseudo-labelling as steps of a workflow: what it opens, what it leaves, what is checked."""
