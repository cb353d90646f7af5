"""The error that a bad file raises."""


class FileError(ValueError):
    """A file is damaged, of another kind or version, or holds what does not fit. Nothing was loaded from it."""
