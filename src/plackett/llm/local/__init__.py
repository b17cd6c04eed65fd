"""Models on this machine: by transformers, by llama.cpp."""
