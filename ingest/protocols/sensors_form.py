"""The form in which Sensors clients send: fields in the query or the body, base64 of (gzipped) JSON within.

The content type is not looked at; it is as often wrong as right.
"""

from dataclasses import dataclass

from ingest.errors import Unreadable
from ingest.protocols.unpacking import form_fields, gunzip, maybe_gunzip, unbase64
from ingest.record import Request
from ingest.settings import DecodeSettings

# What the field `gzip` says besides "not" and "gzip": events or the whole body encrypted with a key of the vendor's.
_ENCRYPTED = frozenset({"9", "13"})
# The checksum is taken character by character: of a longer text nobody waits for it.
_MOST_CHECKED_CHARS = 1 << 20


@dataclass(frozen=True, slots=True)
class SensorsForm:
    """The fields that matter; `crc` is the client's checksum of the text, where it sends one."""

    text: str = ""
    gzip: str = ""
    crc: str = ""
    token: str | None = None

    def json_bytes(self, settings: DecodeSettings) -> bytes:
        """The JSON inside. Raises `Unreadable`."""
        if not self.text:
            raise Unreadable("unreadable_body", "neither data nor data_list in the form or the query")
        if self.gzip in _ENCRYPTED:
            raise Unreadable(
                "encrypted_body",
                f"encrypted by the SDK (gzip={self.gzip}); switch its encryption off, use https instead",
            )
        data = unbase64(self.text)
        if self.gzip == "1":
            return gunzip(data, settings.max_decompressed_bytes)
        return maybe_gunzip(data, settings.max_decompressed_bytes)

    def blame(self, refusal: Unreadable) -> Unreadable:
        """The refusal, with what the client's checksum says about whose fault it is.

        Looked at only then: a text that reads well is taken whatever its checksum.
        """
        if not self.crc or refusal.reason == "encrypted_body" or len(self.text) > _MOST_CHECKED_CHARS:
            return refusal
        if self.crc == str(_java_hash(self.text)):
            return refusal
        return Unreadable(refusal.reason, f"{refusal.detail}; by its crc the text was cut or changed on the way")


def read_form(request: Request, settings: DecodeSettings) -> SensorsForm:
    """The fields of a request, those of the body before those of the query. Raises `Unreadable`."""
    fields = form_fields(request.query) | form_fields(maybe_gunzip(request.body, settings.max_decompressed_bytes))
    crc = fields.get("crc") or fields.get("ext", "").partition("crc=")[2]
    text = fields.get("data_list") or fields.get("data") or ""
    return SensorsForm(text.replace(" ", "+"), fields.get("gzip", ""), crc, fields.get("token"))


def _java_hash(text: str) -> int:
    """`String.hashCode()` of Java, which is what these clients call a crc."""
    found = 0
    for character in text:
        found = (31 * found + ord(character)) & 0xFFFFFFFF
    return found - (1 << 32) if found >= 1 << 31 else found
