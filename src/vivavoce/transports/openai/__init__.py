"""The OpenAI audio API: speech, transcriptions, models and chat for every client that already speaks it.

The contract is OpenAI's; what it leaves open follows what its clients were seen to need.
"""
