"""The WebRTC door: calls that speak the protocol of `/ws/audio`, or OpenAI's, with media beside it."""
