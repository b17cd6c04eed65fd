"""Several documents at a time: sets, windows, groups, blocks, tournaments, attention."""
