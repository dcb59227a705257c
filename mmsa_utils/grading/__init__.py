"""Handed-in notebooks, run in a process that is not trusted, judged outside of it, written into a grade book."""
