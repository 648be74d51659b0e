"""Pixels: reading, checking, segmenting."""
