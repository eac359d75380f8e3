"""One strict reader of XML 1.0: UTF-8, no DOCTYPE, and so no entities; nothing is fetched."""

import re
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import XMLParser

MOST = 4096
"""How many elements there may be, with comments and instructions, and how many attributes.

As many `<cas:r>x</cas:r>` fit into an answer of 64 KiB.
"""
MAX_DEPTH = 32
MAX_NAMESPACE = 256
"""Characters of a namespace: it becomes part of each name in it. Those of CAS and SAML have 36."""
_DECLARATION = re.compile(
    r"<\?xml\s+version\s*=\s*([\"'])1\.0\1"
    r"(?:\s+encoding\s*=\s*([\"'])(?:utf-8|us-ascii)\2)?"
    r"(?:\s+standalone\s*=\s*([\"'])(?:yes|no)\3)?\s*\?>",
    re.ASCII | re.IGNORECASE,
)
_BLANKS = " \t\r\n"


def loads(data: bytes) -> Element:
    """Parse a document; comments stay in it, so that nobody reads over them. Raises ValueError.

    Refused is what has more parts than MOST, more levels or a longer namespace.
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
    """Counts what is in a document, before anything is built or copied.

    This parser knows no namespaces. One that does writes each name with its namespace at once.
    """

    def __init__(self) -> None:
        self._parts = self._attributes = self._depth = 0

    def take(self, text: str) -> None:
        """Stop at the first part that is one too many. Raises ValueError, and ExpatError."""
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = _forbid
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._count
        parser.Parse(text, True)  # noqa: FBT003  # the end is there

    def _begin(self, _name: str, attributes: list[str]) -> None:
        self._count()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if not attributes:
            return
        names = attributes[::2]
        self._attributes += len(names)
        if self._attributes > MOST:
            raise ValueError(f"more than {MOST} attributes")
        for name, value in zip(names, attributes[1::2], strict=True):
            if len(value) > MAX_NAMESPACE and name.partition(":")[0] == "xmlns":
                raise ValueError("a long namespace")

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _count(self, *_what: str) -> None:
        self._parts += 1
        if self._parts > MOST:
            raise ValueError(f"more than {MOST} parts")


def _forbid(name: str, system: str | None, public: str | None, _has_subset: bool) -> None:  # noqa: FBT001
    raise DTDForbidden(name, system, public)


def children(element: Element) -> list[Element]:
    """Return the elements inside an element that holds nothing else. Raises ValueError."""
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip(_BLANKS) for text in texts):
        raise ValueError("text where elements belong")
    return [child for child in element if isinstance(child.tag, str)]


def only(element: Element, tag: str) -> Element:
    """Return the one child of that name. Raises ValueError."""
    found = [child for child in children(element) if child.tag == tag]
    if len(found) != 1:
        raise ValueError(f"{len(found)} of one element")
    return found[0]


def text_of(element: Element) -> str:
    """Return the text of an element that holds nothing else, not even a comment.

    Blanks around it are taken off. Raises ValueError.
    """
    if len(element):
        raise ValueError("elements where text belongs")
    return (element.text or "").strip(_BLANKS)
