"""Builds the object graph; the only room that knows every room.

``serving`` runs the server; ``offline`` runs the same parts without one. Nothing is imported here: a server starts its
workers before it loads the rest of itself.
"""
