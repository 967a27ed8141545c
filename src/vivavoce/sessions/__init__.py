"""What happens: conversation, dictation, incremental speech, transcription.

Order, turns, interruption, limits, history; knows no engine, vendor, codec or framework.
"""
