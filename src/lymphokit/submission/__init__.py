"""The submission CSV and the ledger."""
