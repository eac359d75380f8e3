"""A strict parser of XML 1.0 in UTF-8, without DOCTYPE, entities and external resources."""

import re
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import XMLParser

from service.parsing.over_limit import OverLimit

MOST = 4096
"""The maximum number of elements, comments and instructions, and of attributes.

A response of 64 KiB has room for this many `<cas:r>x</cas:r>`.
"""
MAX_DEPTH = 32
MAX_NAMESPACE = 256
"""The maximum length of a namespace, which becomes part of each name. CAS and SAML have 36."""
_DECLARATION = re.compile(
    r"<\?xml\s+version\s*=\s*([\"'])1\.0\1"
    r"(?:\s+encoding\s*=\s*([\"'])(?:utf-8|us-ascii)\2)?"
    r"(?:\s+standalone\s*=\s*([\"'])(?:yes|no)\3)?\s*\?>",
    re.ASCII | re.IGNORECASE,
)
_BLANKS = " \t\r\n"


def loads(data: bytes) -> Element:
    """Parse a document. Keeps comments, so that callers do not skip them. Raises ValueError.

    Raises OverLimit for more parts than MOST, deeper nesting or a longer namespace.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not in UTF-8") from None
    if re.match(r"<\?xml\s", text) and not _DECLARATION.match(text):
        raise ValueError("declared as another version or in another encoding")
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser = XMLParser(target=target, forbid_dtd=True)
    try:
        _Census().take(text)
        parser.feed(text)
        root: Element = parser.close()
    except (expat.ExpatError, ParseError, DefusedXmlException) as error:
        raise ValueError(type(error).__name__) from None
    return root


class _Census:
    """Counts the parts of a document before it is built.

    This parser ignores namespaces. Other parsers expand each name with its namespace at once.
    """

    def __init__(self) -> None:
        self._parts = self._attributes = self._depth = 0

    def take(self, text: str) -> None:
        """Count a document. Raises OverLimit at the first part over a limit, and ExpatError."""
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = _forbid
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._count
        parser.Parse(text, True)  # noqa: FBT003  # this is the final data

    def _begin(self, _name: str, attributes: list[str]) -> None:
        self._count()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise OverLimit(f"{MAX_DEPTH} levels", "nested too deeply")
        if not attributes:
            return
        names = attributes[::2]
        self._attributes += len(names)
        if self._attributes > MOST:
            raise OverLimit(f"{MOST:,} attributes")
        for name, value in zip(names, attributes[1::2], strict=True):
            if len(value) > MAX_NAMESPACE and name.partition(":")[0] == "xmlns":
                raise OverLimit(f"{MAX_NAMESPACE} characters of a namespace")

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _count(self, *_what: str) -> None:
        self._parts += 1
        if self._parts > MOST:
            raise OverLimit(f"{MOST:,} elements")


def _forbid(name: str, system: str | None, public: str | None, _has_subset: bool) -> None:  # noqa: FBT001
    raise DTDForbidden(name, system, public)


def children(element: Element) -> list[Element]:
    """Return the children of an element that contains only elements. Raises ValueError."""
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip(_BLANKS) for text in texts):
        raise ValueError("text where elements belong")
    return [child for child in element if isinstance(child.tag, str)]


def only(element: Element, tag: str) -> Element:
    """Return the only child with a tag. Raises ValueError."""
    found = [child for child in children(element) if child.tag == tag]
    if len(found) != 1:
        raise ValueError(f"{len(found)} of one element")
    return found[0]


def text_of(element: Element) -> str:
    """Return the stripped text of an element that contains only text. Raises ValueError."""
    if len(element):
        raise ValueError("elements where text belongs")
    return (element.text or "").strip(_BLANKS)
