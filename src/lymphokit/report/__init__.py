"""The report: one page of results, figures and patient cards that opens without a network."""
