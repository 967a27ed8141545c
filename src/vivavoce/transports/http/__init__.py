"""The HTTP door: health, status, configuration, metrics and the page."""
