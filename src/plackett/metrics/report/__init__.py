"""A comparison in words, as a table of text, Markdown or LaTeX, as charts and as an HTML page."""
