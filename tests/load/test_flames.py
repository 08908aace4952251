"""Owns the flame graphs: stacks that are counted, and the picture that is made of them."""

import time
import xml.etree.ElementTree as xml
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtests import flames
from loadtests.flames import LEAST, MARGIN, WIDTH, Profile, Sampler, collapsed, profile, svg, tree_of

NAMES = st.sampled_from(["websocket/turn:Turn.add", "socketio/client:<lambda>", "> a < b & c", "gevent/hub:Hub.run"])
STACKS = st.dictionaries(st.lists(NAMES, min_size=1, max_size=6).map(tuple), st.integers(1, 500), min_size=1)


def burn(until):
    while not until():
        sum(range(100))


def test_the_functions_that_run_are_counted():
    sampler = Sampler()
    sampler.start()
    started = time.process_time()
    burn(lambda: time.process_time() - started > 0.2)
    stacks = sampler.stop()
    assert stacks
    assert any("load/test_flames:burn" in stack for stack in stacks)
    assert all(stack[-1].startswith(flames.LINE) for stack in stacks)
    before = sum(stacks.values())
    started = time.process_time()
    burn(lambda: time.process_time() - started > 0.05)
    assert sum(sampler.stop().values()) == before


@given(STACKS)
def test_the_tree_has_every_sample(stacks):
    root = tree_of(Counter(stacks))
    waiting = [root]
    while waiting:
        node = waiting.pop()
        assert sum(child.count for child in node.children.values()) <= node.count
        waiting += node.children.values()
    assert root.count == sum(stacks.values())


@given(STACKS, st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_the_picture_is_one_and_nothing_is_outside(stacks, before, now):
    text = svg([Profile("before", before, Counter(stacks)), Profile("now", now, Counter(stacks))], "event")
    image = xml.fromstring(text)
    width, height = float(image.get("width")), float(image.get("height"))
    boxes = list(image.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    assert boxes
    for box in boxes:
        assert float(box.get("x")) >= MARGIN - 0.1
        assert float(box.get("x")) + float(box.get("width")) <= width - MARGIN + 0.5
        assert 0 <= float(box.get("y")) <= height
        assert float(box.get("width")) >= LEAST - 0.5
    widest = max(float(box.get("width")) for box in boxes)
    assert widest > WIDTH - 2 * MARGIN - 1


def test_stacks_as_text():
    assert collapsed(Counter({("a", "b"): 2, ("a",): 1})) == "a 1\na;b 2\n"


def test_a_server_is_sampled_under_each_load():
    for load in flames.LOADS:
        found = profile(load, flames.ROOT, "now", scale=0.02)
        assert found.price > 0, load
        svg([found], load)
