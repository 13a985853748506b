"""All nodes behind HAProxy as one: joined, drained, listed and controlled while players play."""
