"""The CSV and the ledger of all CSVs."""
