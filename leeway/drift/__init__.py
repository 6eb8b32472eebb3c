"""How a batch differs from a reference: profiles, distances, effects, and the verdict on them."""
