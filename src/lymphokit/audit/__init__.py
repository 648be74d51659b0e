"""The leak audit: checks of the files of a finished run."""
