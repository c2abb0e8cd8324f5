"""Gradients: a reverse walk over the ops' vjp rules."""
