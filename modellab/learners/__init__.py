"""Models: one protocol, four families, and the catalogue that lists them."""
