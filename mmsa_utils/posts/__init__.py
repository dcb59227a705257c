"""The world: posts as texts and pictures, drawn by rules that are known, or read from the reader's own files."""
