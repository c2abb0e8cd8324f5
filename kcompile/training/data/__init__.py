"""What users give as data, and how it becomes arrays: whole ones in memory, or batch by batch."""
