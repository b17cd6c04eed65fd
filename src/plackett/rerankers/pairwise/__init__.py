"""Two documents at a time: comparisons, and the sorts they feed."""
