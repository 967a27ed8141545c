"""Authenticate, validate, turn bytes into events and events into bytes, map errors to statuses.

Doors know neither each other nor engines nor configuration.
"""
