"""The error for a server that can't be reached, with advice."""

ADVICE = "is the server up (`make run`), and is --url right?"


class UnreachableError(Exception):
    """No server answers, or not as the wire says; the text is for the person at the terminal."""
