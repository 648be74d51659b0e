"""Studies of a cohort: ablation, permutation, spread, confounders, MIL unit tests."""
