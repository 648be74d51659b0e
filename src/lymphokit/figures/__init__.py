"""Shared figure style, and figures that serve more than one package."""
