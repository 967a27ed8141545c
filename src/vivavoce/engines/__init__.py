"""One local model per file: blocking, PCM in and text out or text in and PCM out.

Knows nothing of asyncio, sessions, container formats or other engines.
"""
