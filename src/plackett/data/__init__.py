"""The data: ids, texts, judgments, ranked lists, features, clicks, and their file formats."""
