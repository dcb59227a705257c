"""One post read in full: what each side says, who won, and what in them mattered."""
