"""The simulated cohort: drawing primitives, cells, smears, patients."""
