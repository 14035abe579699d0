"""What the numbers mean: scores, references, histories, forgetting and costs."""
