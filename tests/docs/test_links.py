"""Owns the links inside the documentation: every file and anchor that is named exists, every page is found."""

import pytest

from tests.docs.pages import PAGES, ROOT, Page, page

EXTERNAL = ("https://", "http://", "mailto:")


def broken(item):
    """The links of a page that lead nowhere."""
    found = []
    for link in item.links():
        if link.startswith(EXTERNAL):
            continue
        target, _, anchor = link.partition("#")
        path = (item.path.parent / target).resolve() if target else item.path
        there = path.exists() and ROOT in path.parents
        if there and anchor:
            there = path.suffix == ".md" and anchor in Page(path).anchors()
        if not there:
            found.append(link)
    return found


def linked_pages(item):
    targets = (link.partition("#")[0] for link in item.links() if not link.startswith(EXTERNAL))
    return {(item.path.parent / target).resolve() for target in targets if target.endswith(".md")}


@pytest.mark.parametrize("item", PAGES, ids=lambda item: item.name)
def test_links_lead_somewhere(item):
    assert broken(item) == []


def test_a_broken_link_is_noticed(monkeypatch):
    item = page("docs/index.md")
    assert item.links()
    wrong = ["[a](intro/nowhere.md)", "[b](intro/install.md#nowhere)", "[c](#nowhere)", "![d](images/nothing.png)"]
    monkeypatch.setattr(item, "prose", [*wrong, "[fine](intro/install.md) `[code](nowhere.md)`"])
    assert len(broken(item)) == len(wrong)


def test_every_page_can_be_reached_from_the_index():
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached and path.is_file():
            reached.add(path)
            waiting.extend(linked_pages(Page(path)))
    assert [item.name for item in PAGES if item.name.startswith("docs/") and item.path not in reached] == []


def test_a_page_opens_with_its_title():
    for item in PAGES:
        assert item.text.startswith("# "), item.name


def test_the_picture_is_shown():
    assert "docs/images/chat.png" in page("README.md").links()
