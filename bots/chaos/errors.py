"""What is wrong with a plan of faults, or with the stack that it is meant for."""


class BadPlanError(Exception):
    """The text is a whole sentence, for the person who wrote the plan."""


class CantBeDoneError(Exception):
    """One fault can't be carried out here; the text is the reason."""
