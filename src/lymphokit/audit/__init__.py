"""The leak audit: is there a reason not to believe the scores of a finished run?"""
