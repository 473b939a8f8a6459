"""Surviving a record that kills whoever decodes it: the batch is cut down to that record, which becomes a reject.

Loading goes on behind it, and nothing is refused that another process could decode.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.errors import DecoderDied

logger = logging.getLogger("onepath.loading")

Decoder = Callable[[BatchRequest], DecodedBatch]

# From 16 MB over 256 KB to a single record: each step costs two processes.
_CUT_BITS = 6
_MOST_CUT_BITS = 2 * _CUT_BITS
_SINGLE_BITS = _MOST_CUT_BITS - 2
_DEATHS_TO_BLAME = 3


class SurvivingDecoder:
    """Decodes by `decode`; when that dies of a batch, by ever smaller ones, down to a single record.

    After each batch that went well the next may be twice as large.
    """

    def __init__(self, decode: Decoder) -> None:
        self._decode = decode
        self._cut_bits = 0

    def __call__(self, request: BatchRequest) -> DecodedBatch:
        """Raises what `decode` raises; `DecoderDied` only when it dies without any record, too."""
        deaths_alone = 0
        while True:
            try:
                batch = self._decode(_cut_down(request, self._cut_bits))
            except DecoderDied:
                # Whoever ends processes may hit one record by chance, even twice: only the same one again and again is
                # to blame.
                deaths_alone += self._cut_bits >= _SINGLE_BITS
                self._cut_bits = min(self._cut_bits + _CUT_BITS, _MOST_CUT_BITS)
                if deaths_alone == _DEATHS_TO_BLAME:
                    return self._refuse_next(request)
                logger.warning("decoding died; the next batch is %d times smaller", 1 << self._cut_bits)
            else:
                self._cut_bits = max(self._cut_bits - 1, 0)
                return batch

    def _refuse_next(self, request: BatchRequest) -> DecodedBatch:
        self._decode(replace(request, chosen=()))  # where nothing can be decoded, it is not the record's fault
        refused = decode_batch(replace(request, max_bytes=1, max_records=1, is_undecodable=True))
        orders = refused.rejects["log_order"].to_pylist()
        logger.error("a record kills whoever decodes it, and is kept as a reject: %s", orders)
        return refused


def _cut_down(request: BatchRequest, bits: int) -> BatchRequest:
    if not bits:
        return request
    if bits >= _SINGLE_BITS:
        return replace(request, max_bytes=1, max_records=1)
    return replace(
        request,
        max_bytes=max(request.max_bytes >> bits, 1),
        max_messages=max(request.max_messages >> bits, 1),
        max_plain_bytes=max(request.max_plain_bytes >> bits, 1),
    )
