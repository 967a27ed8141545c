"""Arithmetic on sentences.

Segmentation for speech, normalisation, Markdown stripping, backchannel lexicons, prompts. Knows nothing of
audio or vendors.
"""
