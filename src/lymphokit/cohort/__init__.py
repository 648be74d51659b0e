"""Patients: the raw download, the clinical table, folds, labelled cells, blood cells."""
