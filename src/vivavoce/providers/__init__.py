"""Remote services as ports: one API per module, health and failover over any ports.

Vendors do not know each other; health and failover know no vendor.
"""
