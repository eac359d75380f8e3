"""HTML pages from Jinja2 templates, with escaping, and static files."""

import hashlib
import importlib
import importlib.util
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent.parent
CONTENT_TYPE = "text/html; charset=utf-8"
_SWAGGER_UI = ("swagger-ui-bundle.js", "swagger-ui.css")


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file. `etag` includes its quotes (RFC 9110 section 8.8.3)."""

    body: bytes
    content_type: str
    etag: str


class Templates:
    """Renders the templates. The library is loaded, and a template compiled, at the first use."""

    def __init__(self) -> None:
        self.assets = {path.name: _asset(path) for path in (_HERE / "static").iterdir()}

    @cached_property
    def _environment(self) -> "jinja2.Environment":
        library = importlib.import_module("jinja2")
        environment: jinja2.Environment = library.Environment(
            loader=library.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=library.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = self._versioned
        environment.globals["swagger_ui"] = self._versioned_swagger_ui
        return environment

    @cached_property
    def swagger_ui(self) -> dict[str, Asset]:
        """The files of Swagger UI. They are large, so they are loaded at the first use."""
        folder = _folder("flask_swagger_ui") / "dist"
        return {name: _asset(folder / name) for name in _SWAGGER_UI}

    def render(self, template: str, **values: Any) -> str:
        """Render a template. A missing value is an error."""
        return self._environment.get_template(template).render(values)

    def _versioned(self, name: str) -> str:
        return f"/static/{name}?v={self.assets[name].etag[1:9]}"

    def _versioned_swagger_ui(self, name: str) -> str:
        return f"/docs/{name}?v={self.swagger_ui[name].etag[1:9]}"


def as_asset(body: bytes, content_type: str) -> Asset:
    """Return an asset with an entity tag derived from its body."""
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(body=body, content_type=content_type, etag=f'"{digest}"')


def _asset(path: Path) -> Asset:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return as_asset(path.read_bytes(), kind)


def _folder(package: str) -> Path:
    """Return the folder of an installed package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(name=package)
    return Path(found.origin).parent
