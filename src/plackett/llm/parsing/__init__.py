"""One parser for all that a model may answer: order, label, grades, text."""
