"""What a model learns by, and how well it did: training, alignment on cached features, metrics."""
