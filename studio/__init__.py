"""Emotion Studio: what people ask for and what they get. Knows no model, no torch, no web page."""

__version__ = "0.1.0"
