"""What players and admins can ask, one async function each."""
