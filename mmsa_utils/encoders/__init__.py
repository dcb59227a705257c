"""Pretrained networks that turn a side of a post into vectors: text, image."""
