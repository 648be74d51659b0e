"""The submission CSV and the ledger of submissions."""
