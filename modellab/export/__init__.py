"""What leaves the lab: folders of results, and experiments in one file."""
