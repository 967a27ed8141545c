"""Scripted ports, a silent voice, a virtual clock and a loopback ear, which enter by the same door as real ones; nothing in
`src` imports it.
"""
