"""The leak audit: is there a reason why the scores of a finished run should not be believed?"""
