"""Encode, fuse, classify: the whole model, its head, and its life on a disk."""
