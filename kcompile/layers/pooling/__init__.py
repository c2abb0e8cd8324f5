"""Pooling over windows and over whole inputs."""
