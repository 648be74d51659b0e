"""Who the patients are: raw data, the checked table, the simulated cohort, the folds."""
