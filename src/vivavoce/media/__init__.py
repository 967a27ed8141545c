"""WebRTC: processes of their own that end calls (ICE, encryption, codecs, pacing); here each call is an object.

The server's side is ``calls`` and ``sink``; everything else is the child's. Only ``child`` imports a back end.
"""
