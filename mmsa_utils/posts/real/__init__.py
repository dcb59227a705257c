"""Real posts: the files of published sets, read with all their traps, and miniatures of them."""
