"""Merge the layers of configuration into the frozen option objects that live beside their users.

Only app and cli import it.
"""
