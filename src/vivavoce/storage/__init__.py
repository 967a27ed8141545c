"""What outlives a request: small shared values now, conversations where they are kept.

Knows no transport.
"""
