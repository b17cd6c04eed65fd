"""plackett: ranking, proven."""
