"""Letters, from the sender's outbox to the recipient's inbox."""
