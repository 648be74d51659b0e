"""Submissions compared with each other and with the scores of a leaderboard."""
