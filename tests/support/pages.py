"""What stands in a page, read as a browser reads it: fields, what describes them, links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = {"input", "link", "meta", "img"}


@dataclass
class Page:
    """A page: its text, that of elements with an id, fields, links, scripts, inline handlers."""

    texts: dict[str, str] = field(default_factory=dict)
    inputs: list[dict[str, str]] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    scripts: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    text: str = ""

    def value(self, name: str) -> str:
        """Return what a field says."""
        (found,) = (entry for entry in self.inputs if entry.get("name") == name)
        return found.get("value", "")

    def checked(self, name: str) -> list[str]:
        """Return the values of the check boxes that are checked."""
        return [
            entry["value"]
            for entry in self.inputs
            if entry.get("name") == name and "checked" in entry
        ]

    @property
    def focused(self) -> str:
        """The name of the field that gets the focus, '' for none."""
        return next((entry.get("name", "") for entry in self.inputs if "autofocus" in entry), "")

    def faults(self) -> dict[str, str]:
        """Return what stands beside the faulty fields, as a screen reader finds it."""
        found = {}
        for entry in self.inputs:
            if entry.get("aria-invalid") == "true":
                described = entry["aria-describedby"].split()
                (fault,) = (self.texts[word] for word in described if word.endswith("-fault"))
                found[entry["name"]] = fault
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._open: list[tuple[str, dict[str, str]]] = []
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.page.handlers += [name for name in found if name.startswith("on") or name == "style"]
        if tag == "script":
            self.page.scripts.append(found.get("src", "inline"))
        if tag in {"input", "fieldset", "select"}:
            self.page.inputs.append({"name": found.get("id", ""), **found, "tag": tag})
        if tag not in _EMPTY:
            self._open.append((tag, found))
            if found.get("role") == "alert":
                self.page.alerts.append("")
        if tag == "a":
            self._link = found.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        page, data = self.page, " ".join(data.split())
        if not data or any(found.get("aria-hidden") for _, found in self._open):
            return
        page.text += f"{data} "
        for tag, found in self._open:
            if name := found.get("id"):
                page.texts[name] = f"{page.texts.get(name, '')} {data}".strip()
            if found.get("role") == "alert":
                page.alerts[-1] = f"{page.alerts[-1]} {data}".strip()
            if tag == "a":
                page.links.pop(data, None)
                page.links[data] = self._link


def read(html: str) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page
