"""The built-in world measured: what its classifier's units detect, and what removing them does."""
