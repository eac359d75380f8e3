"""The pages: Jinja2 templates, filled in and escaped; and the files that they refer to."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent
CONTENT_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file, as it is served. `etag` stands in quotes (RFC 9110 section 8.8.3)."""

    body: bytes
    content_type: str
    etag: str


class Views:
    """Renders the templates; all are read at the first use and kept."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.assets = {path.name: _asset(path) for path in (_HERE / "static").iterdir()}
        self._environment.globals["asset"] = self._versioned

    def render(self, template: str, **values: Any) -> str:
        """Fill in a template. A missing value is an error, not a blank."""
        return self._environment.get_template(template).render(values)

    def _versioned(self, name: str) -> str:
        return f"/static/{name}?v={self.assets[name].etag[1:9]}"


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body=body, content_type=kind, etag=f'"{digest}"')
