"""Connections, and the place where driver errors become the product's own."""
