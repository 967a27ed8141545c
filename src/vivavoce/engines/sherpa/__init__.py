"""sherpa-onnx: speech to text with neural models of many families, streaming and not."""

from vivavoce.engines.sherpa.engine import SherpaRecogniser

__all__ = ["SherpaRecogniser"]
