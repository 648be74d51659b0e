"""Packed bags of cells, segment operations on them, and the contract of every model."""
