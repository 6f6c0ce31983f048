"""Procedural pictures with a known feeling: they teach the tiny models and the readers that judge them."""
