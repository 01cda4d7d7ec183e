"""The ports on real technology, one folder each; none knows another."""
