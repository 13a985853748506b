"""The HTTP door: one module for each kind of route."""
