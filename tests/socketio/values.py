"""What applications and browsers send, as hypothesis strategies; for the tests of the codec and of packets."""

from __future__ import annotations

import math

from hypothesis import strategies as st

#: Any text, lone surrogates included: JavaScript's strings may have them.
texts = st.text() | st.text(alphabet=st.sampled_from('a\ud800\udbff\udc00\udfff\\u"d\0\n\u2028€😀'))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
#: JSON values, as json.loads would make them.
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=15
)
#: The same with binary data anywhere.
binary = st.recursive(
    scalars | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def exactly(value):
    """The value with what == hides: 1, 1.0 and True differ, so do 0.0 and -0.0; the order of keys counts as well.

    Two surrogates that make a character are that character: in JSON nobody can tell them apart.
    """
    if isinstance(value, dict):
        return list({joined(key): exactly(item) for key, item in value.items()}.items())
    if isinstance(value, list | tuple):
        return [exactly(item) for item in value]
    if isinstance(value, str):
        return joined(value)
    sign = math.copysign(1, value) if isinstance(value, float) else 0
    return type(value).__name__, value, sign


def joined(text):
    """The text with pairs of surrogates made into characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def nested(depth, value=1, key=None):
    """The value in ``depth`` lists, or in objects with this key."""
    for _ in range(depth):
        value = [value] if key is None else {key: value}
    return value


def pieces_of(value):
    """The binary data in a value in the order of its traversal."""
    if isinstance(value, bytes):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [piece for item in inner for piece in pieces_of(item)]
