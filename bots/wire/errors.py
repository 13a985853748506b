"""The errors of the wire that end a run or a proof: a server that can't be reached, an answer outside the contract."""


class UnreachableError(Exception):
    """No server answers, or it refuses what a run needs before it can begin; the text is for the operator."""


class BadAnswerError(Exception):
    """The server answered in a shape that the wire contract doesn't know."""
