"""The test kit for studios."""
