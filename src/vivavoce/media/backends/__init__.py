"""One WebRTC library a file, behind ``peers.Backend``; imported by the media process only."""
