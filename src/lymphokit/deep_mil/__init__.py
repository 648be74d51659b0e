"""Attention networks over bags (report 5.2) and their training."""
