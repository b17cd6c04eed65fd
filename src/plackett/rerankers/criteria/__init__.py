"""More than relevance: further criteria, diversity, recency, feedback, all at once."""
