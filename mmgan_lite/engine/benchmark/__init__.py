"""Speed of training compared with a loop without MMEngine."""
