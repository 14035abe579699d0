"""The engine: a deterministic replay of an ordered stream through lanes."""
