"""Builds the object graph; the only room that knows every room.

``serve`` runs the server; ``talk``, ``say`` and ``transcribe`` run the same parts without one.
"""

from vivavoce.app.offline import SayRequest, Spoken, TalkRequest, say, talk, transcribe
from vivavoce.app.server import serve

__all__ = ["SayRequest", "Spoken", "TalkRequest", "say", "serve", "talk", "transcribe"]
