"""Speed of training beside a loop without MMEngine."""
