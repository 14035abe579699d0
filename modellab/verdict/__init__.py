"""Which policy to deploy, with the evidence, and the hindsight optimum."""
