"""Rounds of pseudo-labelling (report 4): cell selection, learners, lineage."""
