"""Bounded queues with a stated policy, the clock, task scopes: the only home of raw asyncio primitives.

Knows nothing of what flows.
"""
