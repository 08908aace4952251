"""Names for the cases of a test that are the same in every process, so that several can share the tests out."""

import re


def shown(value: object, most: int = 200) -> str:
    """A value as it is shown, without its address in memory."""
    return ascii(re.sub(r" at 0x[0-9a-f]+", "", repr(value)))[1:-1][:most]
