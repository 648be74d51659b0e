"""Damaged and crafted inputs for every reader, and a runner with bounds on time and memory."""
