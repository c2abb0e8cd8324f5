"""Graph -> Graph rewrites."""
