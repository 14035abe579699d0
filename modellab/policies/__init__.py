"""When a lane's model learns, retrains, is tested and redeployed."""
