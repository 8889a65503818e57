"""The only parser: it makes typed sign-ins, and reasons for rejects, from the bytes of a file.

Two schemas are read at once: rows of SigninLogs and the tables beside it as Microsoft Sentinel
exports them, and the records of Entra's own diagnostic settings (``{time, properties}``). A field
that one schema lacks is taken from the other. The detail columns come as JSON text or as nested
objects. If a name occurs twice, the last one counts. A record that lacks an Id, a time or a result
in both schemas is read once more, as one of the other forms (``forms.as_row``).

A value of another type than documented is treated in the same way everywhere: all columns are first
read as text (``values.as_text``), and times, numbers and truth values are read from that text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import compress, zip_longest
from types import NoneType
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.compute
from msgspec.structs import astuple

from lowslow_assets.signins.addresses import bare_address, ip_prefix
from lowslow_assets.signins.details import DETAILS, Detail
from lowslow_assets.signins.files import read_records
from lowslow_assets.signins.forms import as_row, what_it_is
from lowslow_assets.signins.json_text import MORE_BEHIND, NotAnObject, read_object, split_objects
from lowslow_assets.signins.records import MOST_KEPT_BYTES, Found, Reject
from lowslow_assets.signins.values import (
    EARLIEST,
    LATEST,
    MAX_TEXT_LENGTH,
    as_text,
    parse_boolean,
    parse_number,
    parse_result,
    parse_time,
    unless_placeholder,
)

# Most of its functions are created at import, where no type checker sees them.
pc: Any = pyarrow.compute

NO_ID = "no Id"
NO_TIME = "no TimeGenerated that is a time"
NO_USER = "no user"
NO_RESULT_TYPE = "no ResultType"

_TEXT, _DOUBLE, _TIME = pa.string(), pa.float64(), pa.timestamp("us", "UTC")
PARSED = pa.schema(
    [
        ("file", _TEXT),
        ("signin_id", _TEXT),
        ("time_generated", _TIME),
        ("user_principal_name", _TEXT),
        ("user_id", _TEXT),
        ("user", _TEXT),
        ("result_type", _TEXT),
        ("is_interactive", pa.bool_()),
        ("app_display_name", _TEXT),
        ("client_app_used", _TEXT),
        ("browser", _TEXT),
        ("device_name", _TEXT),
        ("operating_system", _TEXT),
        ("user_agent", _TEXT),
        ("ip_address", _TEXT),
        ("ip_prefix", _TEXT),
        ("autonomous_system_number", pa.int64()),
        ("country", _TEXT),
        ("state", _TEXT),
        ("city", _TEXT),
        ("latitude", _DOUBLE),
        ("longitude", _DOUBLE),
        ("unread", _TEXT),
        ("reason", _TEXT),
        ("line", _TEXT),
    ]
)
# Each with the reason why a record without it is not a sign-in.
_REQUIRED = {
    "signin_id": NO_ID,
    "time_generated": NO_TIME,
    "user": NO_USER,
    "result_type": NO_RESULT_TYPE,
}

# Limits of a batch. Its rows are Python objects, which may need much more memory, so they are kept
# in smaller chunks.
_MOST_ROWS, _MOST_BYTES = 8192, 16 << 20
_CHUNK_ROWS, _CHUNK_BYTES = 256, 1 << 20


def parse_files(files: Iterable[tuple[str, IO[bytes]]]) -> Iterator[pa.RecordBatch]:
    """The records of files as batches of ``PARSED``, one row per record; no content raises.

    Files are names with contents. Many small files make one batch.

    A row is a sign-in, with null for ``reason`` and ``line``, or a reject: with the reason and the
    first 1,024 characters of its text, and null in all other columns but ``file``. A file whose
    reading fails ends with a reject without text. The bytes of a file decide its format, not its
    name.
    """
    batch = _Batch()
    for name, content in files:
        file = name.encode(errors="replace").decode()
        for found in read_records(content):
            batch.add(file, found)
            if batch.is_full():
                yield from batch.parsed()
                batch = _Batch()
    yield from batch.parsed()


class _Batch:
    """Records on their way to Arrow, bounded in rows and bytes.

    The values of some hundred rows become Arrow arrays while they are in the processor's cache. The
    arrays of some thousand rows are then processed at once.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.texts: list[bytes] = []
        self.values: list[tuple[Any, ...]] = []
        self.chunks: list[list[pa.Array]] = []
        self.rejects: list[tuple[str, Reject]] = []
        self.bytes = 0
        self.chunk_bytes = 0

    def add(self, file: str, found: Found) -> None:
        if isinstance(found, Reject):
            self.rejects.append((file, found))
            return
        try:
            # Some records at once are read in half the time of one after the other.
            rows = list(map(_ROW.decode, found))
            self._keep(file, found, list(map(_values, rows, found)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotAnObject):
            for record in found:
                self._add_mended(file, record)

    def _add_mended(self, file: str, record: bytes) -> None:
        try:
            self._keep(file, [record], [_values(read_object(_ROW, record), record)])
        except NotAnObject as error:
            several = split_objects(record) if str(error) == MORE_BEHIND else []
            for one in several:
                self._add_mended(file, one)
            if not several:
                self.rejects.append((file, Reject(str(error), record[:MOST_KEPT_BYTES])))

    def _keep(self, file: str, records: list[bytes], values: list[tuple[Any, ...]]) -> None:
        self.values += values
        self.files += [file] * len(records)
        self.texts += records
        self.chunk_bytes += sum(map(len, records))
        if len(self.values) >= _CHUNK_ROWS or self.chunk_bytes >= _CHUNK_BYTES:
            self._pack()

    def is_full(self) -> bool:
        return len(self.texts) + len(self.rejects) >= _MOST_ROWS or self.bytes >= _MOST_BYTES

    def parsed(self) -> Iterator[pa.RecordBatch]:
        """At most two batches: the sign-ins, and the rejects."""
        if self.texts:
            self._pack()
            fields = zip(_COLUMNS, zip(*self.chunks, strict=True), strict=True)
            columns = _columns({name: pa.concat_arrays(chunks) for name, chunks in fields})
            missing = {name: columns[name].is_null() for name in _REQUIRED}
            bad = reduce(pc.or_, missing.values())
            rejected = pc.indices_nonzero(bad).to_pylist()
            for at in rejected:
                lacks = next(_REQUIRED[name] for name in _REQUIRED if missing[name][at].as_py())
                text = self.texts[at]
                reject = Reject(what_it_is(text) or lacks, text[:MOST_KEPT_BYTES])
                self.rejects.append((self.files[at], reject))
            columns["file"] = pa.array(self.files)
            batch = _batch(columns, len(self.texts))
            yield batch.filter(pc.invert(bad)) if rejected else batch
        if self.rejects:
            files, rejects = zip(*self.rejects, strict=True)
            lines = [_line(reject.text) for reject in rejects]
            reasons = [reject.reason for reject in rejects]
            columns = {
                "file": pa.array(files),
                "reason": pa.array(reasons),
                "line": pa.array(lines, pa.string()),
            }
            yield _batch(columns, len(lines))

    def _pack(self) -> None:
        if self.values:
            columns = zip(*self.values, strict=True)
            self.chunks.append(list(map(_array, _COLUMNS, columns)))
            self.values = []
        self.bytes += self.chunk_bytes
        self.chunk_bytes = 0


def _batch(columns: dict[str, pa.Array], rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            columns[field.name] if field.name in columns else pa.nulls(rows, field.type)
            for field in PARSED
        ],
        schema=PARSED,
    )


def _line(text: bytes | None) -> str | None:
    return None if text is None else text.rstrip(b"\r").decode(errors="replace")[:MAX_TEXT_LENGTH]


# --- what is read of a record --------------------------------------------------------------------

# Values, by their names in a row and in a record's properties.
_FIELDS = {
    "signin_id": ("Id", "id"),
    "user_principal_name": ("UserPrincipalName", "userPrincipalName"),
    "user_id": ("UserId", "userId"),
    "service_principal_name": ("ServicePrincipalName", "servicePrincipalName"),
    "service_principal_id": ("ServicePrincipalId", "servicePrincipalId"),
    "is_interactive": ("IsInteractive", "isInteractive"),
    "app_display_name": ("AppDisplayName", "appDisplayName"),
    "client_app_used": ("ClientAppUsed", "clientAppUsed"),
    "user_agent": ("UserAgent", "userAgent"),
    "ip_address": ("IPAddress", "ipAddress"),
    "autonomous_system_number": ("AutonomousSystemNumber", "autonomousSystemNumber"),
    "device": ("DeviceDetail", "deviceDetail"),
    "place": ("LocationDetails", "location"),
    "status": ("status", "status"),
}
# Values that are beside the properties of a record, or only in a row.
_TOP_FIELDS = {
    "time_generated": "TimeGenerated",
    "time_of_record": "time",
    "result_type": "ResultType",
    "result_type_of_record": "resultType",
    "location": "Location",
    "address_of_record": "callerIpAddress",
    "location_of_record": "location",
}
_COLUMNS = [*_FIELDS, *_TOP_FIELDS]


def _struct(name: str, fields: dict[str, str], *more: tuple[str, Any, Any]) -> type[msgspec.Struct]:
    """A struct of these fields, in which details stay as they are written."""
    kinds = ((field, msgspec.Raw if column in DETAILS else Any) for column, field in fields.items())
    return msgspec.defstruct(
        name, [*((field, kind, None) for field, kind in kinds), *more], gc=False
    )


_ROW_NAMES = {column: name for column, (name, _) in _FIELDS.items()} | _TOP_FIELDS
_PROPERTY_NAMES = {column: name for column, (_, name) in _FIELDS.items()}
_Properties = _struct("_Properties", _PROPERTY_NAMES)
_Row = _struct(
    "_Row",
    _ROW_NAMES,
    ("properties", _Properties | str | int | float | bool | list | None, None),
)
_ROW = msgspec.json.Decoder(_Row)
_FLAT_DEVICE = b'"DeviceDetail'
_FEW_VALUES, _INTEGERS = {bool, str, NoneType}, {int, str, NoneType}
_AT = {column: place for place, column in enumerate(_COLUMNS)}
_ID, _TIME_OF_ROW, _TIME_OF_RECORD = (
    _AT[column] for column in ("signin_id", "time_generated", "time_of_record")
)
_RESULT, _STATUS, _RESULT_OF_RECORD, _DEVICE = (
    _AT[column] for column in ("result_type", "status", "result_type_of_record", "device")
)


def _values(row: msgspec.Struct, record: bytes) -> tuple[Any, ...]:
    """The values of a record, in the order of ``_COLUMNS``; more may follow. Raises NotAnObject."""
    values = astuple(row)
    # This is evaluated for each line, so it is written out.
    if (
        values[_ID] is None
        or values[_TIME_OF_ROW] is None
        or values[_RESULT] is None
        or values[_DEVICE] is None
        or values[-1] is not None
    ):
        values = _with_properties(values)
        if _is_other(values, record):
            values = _with_properties(astuple(_ROW.decode(as_row(record))))
    return values


def _with_properties(values: tuple[Any, ...]) -> tuple[Any, ...]:
    properties = values[-1]
    if not isinstance(properties, _Properties):
        return values
    both = zip_longest(values, astuple(properties))
    return tuple(of_record if of_row is None else of_row for of_row, of_record in both)


def _is_other(values: tuple[Any, ...], record: bytes) -> bool:
    """Whether a record is of neither of the two schemas, or has details as fields of their own."""
    return (
        values[_ID] is None
        or (values[_TIME_OF_ROW] is None and values[_TIME_OF_RECORD] is None)
        or (
            values[_RESULT] is None
            and values[_STATUS] is None
            and values[_RESULT_OF_RECORD] is None
        )
        or (values[_DEVICE] is None and _FLAT_DEVICE in record)
    )


def _array(column: str, values: Sequence[Any]) -> pa.Array:
    """Values as text; the values of details as their JSON."""
    if column in DETAILS:
        # No JSON has a zero byte, and this takes a fourth of the time of bytes() of each value.
        texts = b"\0".join([b"" if value is None else value for value in values]).split(b"\0")
        return pa.array(texts, pa.binary())
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:
        return pa.array(_texts(values), pa.string())


def _texts(values: Sequence[Any]) -> list[str | None]:
    """``as_text`` of all values."""
    kinds = set(map(type, values))
    if kinds <= _FEW_VALUES or kinds <= _INTEGERS:
        # Here equal values have equal texts, unlike 1, 1.0 and true, or 0.0 and -0.0.
        text_of = {value: as_text(value) for value in set(values)}
        return list(map(text_of.__getitem__, values))
    return [value if type(value) is str else as_text(value) for value in values]


# --- columns -------------------------------------------------------------------------------------


def _columns(raw: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The columns of sign-ins, null if a row has no value, from the arrays of ``_COLUMNS``."""
    texts = {column: _bounded(raw[column]) for column in _COLUMNS if column not in DETAILS}
    details = {column: _read_details(DETAILS[column], raw[column]) for column in DETAILS}
    browser, device_name, operating_system, device_is_read = details["device"]
    country, state, city, latitude, longitude, place_is_read = details["place"]
    status, _ = details["status"]
    named = ("user_principal_name", "user_id", "location", "location_of_record")
    texts |= {column: _by_value(unless_placeholder, texts[column]) for column in named}
    name, id_ = texts["user_principal_name"], texts["user_id"]
    # The service principal is read only if the log names no user.
    user_name = _first(name, pc.if_else(id_.is_null(), texts["service_principal_name"], None))
    logged_id = _first(id_, pc.if_else(name.is_null(), texts["service_principal_id"], None))
    user_id = _lower(logged_id)
    time = _first(texts["time_generated"], texts["time_of_record"])
    result = _result(texts["result_type"], status, texts["result_type_of_record"])
    logged = _first(texts["ip_address"], texts["address_of_record"])
    address = _by_value(bare_address, logged)
    number = texts["autonomous_system_number"]
    system = _by_value(parse_number, number, pa.int64())
    return {
        "signin_id": texts["signin_id"],
        "time_generated": _times(time),
        "user_principal_name": user_name,
        "user_id": user_id,
        "user": _lower(_first(user_name, user_id)),
        "result_type": result,
        "is_interactive": _by_value(parse_boolean, texts["is_interactive"], pa.bool_()),
        "app_display_name": texts["app_display_name"],
        "client_app_used": texts["client_app_used"],
        "browser": browser,
        "device_name": device_name,
        "operating_system": operating_system,
        "user_agent": texts["user_agent"],
        "ip_address": address,
        "ip_prefix": _by_value(ip_prefix, address),
        "autonomous_system_number": system,
        "country": _first(texts["location"], country, texts["location_of_record"]),
        "state": state,
        "city": city,
        "latitude": latitude,
        "longitude": longitude,
        "unread": _named(
            {
                "address": pc.and_(logged.is_valid(), address.is_null()),
                "device": pc.invert(device_is_read),
                "place": pc.invert(place_is_read),
                "result": pc.invert(pc.ascii_is_decimal(result)),
            }
        ),
    }


def _result(*given: pa.Array) -> pa.Array:
    """The first code of an error, else that of a success, else a text that is not a code."""
    # Nearly always, all but one are empty.
    there = [texts for texts in given if texts.null_count < len(texts)] or given[:1]
    results = [_by_value(parse_result, texts) for texts in there]
    codes = [pc.if_else(pc.ascii_is_decimal(texts), texts, None) for texts in results]
    errors = [pc.if_else(pc.equal(texts, "0"), None, texts) for texts in codes]
    return pc.coalesce(*errors, *codes, *results)


def _named(are: dict[str, pa.Array]) -> pa.Array:
    """Per row, the names of the values that are true; null if none is."""
    flags = [pc.fill_null(is_so, False) for is_so in are.values()]
    some = reduce(pc.or_, flags)
    rows = zip(*(flag.filter(some).to_pylist() for flag in flags), strict=True)
    names = pa.array([", ".join(compress(are, row)) for row in rows], _TEXT)
    return pc.replace_with_mask(pa.nulls(len(some), _TEXT), some, names)


def _bounded(texts: pa.Array) -> pa.Array:
    """``bounded_text`` of all texts."""
    if texts.null_count == len(texts):
        return texts
    texts = pc.utf8_trim(texts, " ")
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > MAX_TEXT_LENGTH:
        texts = pc.utf8_slice_codeunits(texts, 0, MAX_TEXT_LENGTH)
    is_empty = pc.equal(texts, "")
    return pc.if_else(is_empty, None, texts) if pc.any(is_empty).as_py() else texts


def _first(*arrays: pa.Array) -> pa.Array:
    """Per row, the first value that is not null."""
    return pc.coalesce(*arrays) if arrays[0].null_count else arrays[0]


def _lower(texts: pa.Array) -> pa.Array:
    """``str.lower`` of all texts."""
    is_ascii = pc.all(pc.string_is_ascii(texts)).as_py()
    return pc.ascii_lower(texts) if is_ascii else _by_value(str.lower, texts)


def _by_value(
    function: Callable[[str], Any], texts: pa.Array, kind: pa.DataType = _TEXT
) -> pa.Array:
    """The results of a function for all texts; it is called once per distinct text."""
    encoded = texts.dictionary_encode()
    values = pa.array(map(function, encoded.dictionary.to_pylist()), kind)
    return values.take(encoded.indices)


def _read_details(detail: Detail, written: pa.Array) -> list[pa.Array]:
    """What the detail makes of a column, one array for each of its values."""
    encoded = written.dictionary_encode()
    made = zip(*map(detail.read, encoded.dictionary.to_pylist()), strict=True)
    arrays = [
        pa.array(values, kind) for values, kind in zip_longest(made, detail.kinds, fillvalue=())
    ]
    return [array.take(encoded.indices) for array in arrays]


# --- text to types -------------------------------------------------------------------------------


def _times(texts: pa.Array) -> pa.Array:
    """``parse_time`` of all texts."""
    try:
        # Thirty times as fast, and the same if minutes are given and there are at most nine digits.
        minutes = pc.utf8_slice_codeunits(texts, 13, 14)
        if not pc.all(pc.equal(minutes, ":")).as_py():
            raise pa.ArrowInvalid("another form of time")
        times = texts.cast(pa.timestamp("ns", "UTC")).cast(_TIME, safe=False)
    except pa.ArrowInvalid:
        return _by_value(parse_time, texts, _TIME)
    is_plausible = pc.and_(pc.greater_equal(times, EARLIEST), pc.less_equal(times, LATEST))
    return pc.if_else(is_plausible, times, None)
