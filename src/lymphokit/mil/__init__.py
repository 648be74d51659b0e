"""Models of bags: every one of them keeps the contract of contract.py."""
