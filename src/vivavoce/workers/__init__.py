"""Start, feed, watch and restart the processes that run engines, and show each as a port.

Knows nothing of sessions or HTTP.
"""
