"""Preparation of inputs: of numbers inside compiled programs, of text on the host in front of them."""
