"""Calibrated probabilities and selective prediction (referral)."""
