"""Builds the object graph; the only room that knows every room."""
