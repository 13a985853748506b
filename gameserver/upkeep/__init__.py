"""What runs by itself on every node, for as long as the node runs."""
