"""Preparation of inputs."""
