"""The native WebSocket door: `/ws/audio`."""
