"""What everything rests on: settings, errors, dtypes, symbolic integers, nested structures."""
