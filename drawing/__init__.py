"""Graphs made visible: drawn with their values and gradients, and as pages that step through them."""

__all__: list[str] = []
