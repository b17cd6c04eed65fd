"""By transformers on this machine: pairs read together, vectors, token vectors, sparse weights."""
