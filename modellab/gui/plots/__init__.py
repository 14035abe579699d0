"""Plots: live ones on the Deploy page, still ones on the Test page."""
