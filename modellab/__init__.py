"""Model Lab: how should a model live in production? Replay the stream and see."""

__version__ = "0.1.0"
