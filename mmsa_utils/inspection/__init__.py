"""What finds mistakes in a model by trying it: any model that takes named tensors and gives logits."""
