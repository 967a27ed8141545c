"""Arithmetic on samples: formats, framing, resampling, gain, rings, streaming encoders and decoders.

Knows nothing of asyncio, sessions or HTTP.
"""
