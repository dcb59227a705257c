"""What checks the exercises of the notebooks, and the card on which a reader's progress is kept."""
