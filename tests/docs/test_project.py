"""Owns that the pages about the project keep up with it: make targets, folders of tests, contracts of the layers."""

import configparser

import pytest

from tests.docs.pages import ROOT, page
from tests.docs.test_commands import make_targets


@pytest.mark.parametrize("target", [target for target in make_targets() if target != "help"])
def test_every_make_target_is_described(target):
    assert f"| `make {target}` |" in page("docs/project/contributing.md").text


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_readme_opens_with_the_two_commands(target):
    opening = page("README.md").text.split("\n## ")[0]
    assert f"make {target}" in opening


def test_every_folder_of_tests_is_described():
    folders = {path.parent for path in (ROOT / "tests").glob("*/__init__.py")}
    assert folders
    for folder in folders:
        assert f"`tests/{folder.name}`" in page("docs/project/tests.md").text, folder.name


def test_every_contract_is_described():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    described = {"layers": "**Packages**", "flask": "**Flask**", "pure": "**Pure modules**", "redis": "**Redis**"}
    text = page("docs/project/layering.md").text
    contracts = [name.rpartition(":")[2] for name in settings.sections() if name.startswith("importlinter:contract:")]
    assert "flask" in contracts
    for name in contracts:
        kind = settings[f"importlinter:contract:{name}"]["type"]
        assert described["layers" if kind == "layers" else name] in text


def test_every_file_of_the_way_through_redis_is_described():
    text = page("docs/topics/redis.md").text
    rows = [line.split(" | ")[0] for line in text.split("## One command")[0].splitlines() if line.startswith("| `")]
    files = {path.stem for path in (ROOT / "flask_socketio_py/socketio/adapters/redis").glob("[a-z]*.py")}
    assert files == {name for row in rows for name in row.split("`")[1::2]}
