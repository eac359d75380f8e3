"""One strict reader of XML 1.0: UTF-8, no DOCTYPE, and so no entities; nothing is fetched."""

import re
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

_DECLARATION = re.compile(
    r"<\?xml\s+version\s*=\s*([\"'])1\.0\1"
    r"(?:\s+encoding\s*=\s*([\"'])(?:utf-8|us-ascii)\2)?"
    r"(?:\s+standalone\s*=\s*([\"'])(?:yes|no)\3)?\s*\?>",
    re.ASCII | re.IGNORECASE,
)
_BLANKS = " \t\r\n"


def loads(data: bytes) -> Element:
    """Parse a document; comments stay in it, so that nobody reads over them. Raises ValueError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not in UTF-8") from None
    if re.match(r"<\?xml\s", text) and not _DECLARATION.match(text):
        raise ValueError("declared as another version or in another encoding")
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser = XMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(text)
        root: Element = parser.close()
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(type(error).__name__) from None
    return root


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
