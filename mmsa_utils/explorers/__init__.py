"""Sliders over a view: the explorer of each notebook, and a picture of the same for pages without a kernel."""
