"""Containers and encodings: bytes in, bytes out, streaming."""
