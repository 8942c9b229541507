"""What goes wrong in the stack, told to a person."""


class StackError(Exception):
    """Something of the stack could not be done; the message says what, and what to do."""
