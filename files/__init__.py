"""Files: written whole or not at all, and read without trusting a byte of them."""

from .errors import FileError

__all__ = ["FileError"]
