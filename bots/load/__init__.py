"""Load without proof: the bench and the idle sockets."""
