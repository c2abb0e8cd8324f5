"""Attention layers: by plain and additive scores, with several heads, with grouped heads."""
