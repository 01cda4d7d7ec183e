"""Everything that starts, and the only place that wires."""
