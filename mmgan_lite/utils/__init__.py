"""Helpers that any part of the package may import; none of them imports another part."""
