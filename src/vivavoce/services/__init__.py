"""Install, start, stop and inspect what the system runs for Vivavoce: model files and system services.

Knows nothing live.
"""
