"""The built-in world measured: what its classifier's units detect, what removing them does, and what attacks."""
