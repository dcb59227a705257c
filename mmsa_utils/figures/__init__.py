"""What the notebooks, the explorers and the pages draw: figures as PNGs, and pieces of HTML."""
