"""The functions that SQL texts may use beyond what DuckDB and Spark have in common.

Each engine defines all of them under the same name. docs/engines.md lists what
texts may use besides.
"""

from typing import NamedTuple


class Function(NamedTuple):
    """A scalar function: parameters and result as Spark declares them, and a body per engine."""

    parameters: str
    result: str
    duckdb: str
    spark: str


# Floor, not truncation, for times before 1970.
_SECONDS = "(epoch_us(t) - ((epoch_us(t) % 1000000) + 1000000) % 1000000) // 1000000"
# 60 bits: 15 hexadecimal digits, which fit a signed 64-bit integer.
_DIGITS = "substr(md5(s), 1, 15)"
# The zeros for two colons, so that there are seven colons in all.
_SEVEN_COLONS = "replace(a, '::', repeat(':', 9 - length(a) + length(replace(a, ':', ''))))"
_GROUPS = " || ".join(f"lpad(split_part({_SEVEN_COLONS}, ':', {n}), 4, '0')" for n in range(1, 9))
_OCTETS = " || ".join(f"lpad(split_part(a, '.', {n}), 3, '0')" for n in range(1, 5))
_ADDRESS_KEY = (
    f"CASE WHEN a LIKE '%:%' AND a NOT LIKE '%.%' THEN 'v6 ' || {_GROUPS} "
    f"WHEN a LIKE '%.%' AND a NOT LIKE '%:%' THEN 'v4 ' || {_OCTETS} END"
)
# Versions begin with a slash or a digit, comments with a parenthesis.
_PRODUCT = "split_part(translate(s, '0123456789 (', '////////////'), '/', 1)"

FUNCTIONS = {
    # Whole seconds since 1970, rounded down.
    "epoch_seconds": Function("t TIMESTAMP", "BIGINT", _SECONDS, "unix_seconds(t)"),
    "epoch_micros": Function("t TIMESTAMP", "BIGINT", "epoch_us(t)", "unix_micros(t)"),
    # Days since 1970.
    "epoch_day": Function(
        "d DATE", "INT", "CAST(d - DATE '1970-01-01' AS INTEGER)", "unix_date(d)"
    ),
    # 1 is Monday.
    "iso_weekday": Function("t TIMESTAMP", "INT", "CAST(isodow(t) AS INTEGER)", "weekday(t) + 1"),
    "hour_of_day": Function("t TIMESTAMP", "INT", "CAST(hour(t) AS INTEGER)", "hour(t)"),
    # 0 to 2^60 - 1, always the same for the same text: a draw that needs no random numbers.
    "text_hash": Function(
        "s STRING",
        "BIGINT",
        f"CAST('0x' || {_DIGITS} AS BIGINT)",
        f"CAST(conv({_DIGITS}, 16, 10) AS BIGINT)",
    ),
    # An address (as `signins.addresses` writes it), written so that a network is a range of texts:
    # "v4 " and four numbers of three digits, or "v6 " and 32 hexadecimal digits.
    "address_key": Function("a STRING", "STRING", _ADDRESS_KEY, _ADDRESS_KEY),
    # Without white space as it occurs in the log's own words: blanks, tabs, line ends.
    "without_spaces": Function(
        "s STRING",
        "STRING",
        "translate(s, concat(' ', chr(9), chr(10), chr(11), chr(12), chr(13)), '')",
        "translate(s, concat(' ', chr(9), chr(10), chr(11), chr(12), chr(13)), '')",
    ),
    # What a user agent header names first, without its version: "axios" of "axios/1.7.0".
    "agent_product": Function("s STRING", "STRING", _PRODUCT, _PRODUCT),
}
