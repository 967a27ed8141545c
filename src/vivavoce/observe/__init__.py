"""Fold events into logs, waterfalls, metrics and traces; reads events and knows nothing of sessions."""
