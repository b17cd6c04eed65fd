"""A judge that knows the grades, in the place of a language model."""
