"""Text that is sent elsewhere: attackers write part of it, and receivers have limits."""

_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'"})


def harmless(text: str) -> str:
    """The text without anything that a page reads as HTML, Markdown or a link.

    Only a link's ``://`` becomes longer.
    """
    return printable(text).translate(_MARKUP).replace("://", ": //")


def printable(text: str) -> str:
    """The text on one line; unprintable characters, also right-to-left marks, become "?"."""
    return "".join(c if c.isprintable() else "?" for c in text)


def bounded(text: str, limit: int) -> str:
    """At most ``limit`` UTF-16 code units of the text, as .NET and JavaScript count."""
    encoded = text.encode("utf-16-le")
    if len(encoded) <= 2 * limit:
        return text
    return encoded[: 2 * (limit - 3)].decode("utf-16-le", "ignore") + "..."
