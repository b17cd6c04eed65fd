"""One document at a time: likelihoods, grades, services."""
