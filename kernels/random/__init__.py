"""Counter-based random numbers: what a number is follows from its counter and key alone, on any threads."""
