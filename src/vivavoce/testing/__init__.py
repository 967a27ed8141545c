"""Scripted STT.

LLM and TTS, a silent voice, a fake clock and a loopback door, which enter by the same door as real ones.
Nothing in src imports it.
"""
