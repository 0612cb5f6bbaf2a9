"""Words of notes about counted things."""


def number_of(count: int, noun: str) -> str:
    """A count with its noun, in the singular for one.

    Args:
        count: How many.
        noun: In the singular; 's' makes it the plural.

    Example:
        >>> number_of(1, 'grid'), number_of(2500, 'grid')
        ('1 grid', '2,500 grids')
    """
    return f'{count:,} {noun}' if count == 1 else f'{count:,} {noun}s'


def choose_by(count: int, one: str, more: str) -> str:
    """The form of a word that goes with a count.

    Example:
        >>> choose_by(1, 'is', 'are'), choose_by(0, 'is', 'are')
        ('is', 'are')
    """
    return one if count == 1 else more
