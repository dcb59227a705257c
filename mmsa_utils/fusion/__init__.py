"""Ways for the sides to meet: each takes what the encoders give and makes one vector of it."""
