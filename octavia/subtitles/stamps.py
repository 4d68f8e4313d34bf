"""Times as subtitle formats write them."""


def stamp(milliseconds: int, point: str) -> str:
    """``01:02:03.456``, with ``point`` before the milliseconds; hours have as many digits as they need."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
