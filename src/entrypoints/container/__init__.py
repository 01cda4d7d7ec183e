"""The composition root: the only place that names adapters and wires them to the use cases."""
