"""Who is connected to which node, and the pushes stored for them."""
