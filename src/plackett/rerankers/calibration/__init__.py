"""Scores turned into probabilities, and how true those are."""
