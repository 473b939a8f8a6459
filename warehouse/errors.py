"""What can go wrong in the warehouse.

WarehouseError
├── WarehouseInUse      retryable: another process has the file open
├── WrongSalt           final: the file belongs to another project file
├── SchemaTooNew        final: a later Onepath wrote this file
├── DecoderDied         retryable: the decoder process ended twice on the same batch
├── WriteFailed         retryable: a transaction was undone; nothing of it remains
├── NoSuchPerson        final: nobody, or more than one, is named so
├── CannotAct           final: an act names what is not there, or would do nothing
├── BadSql              final: the statement is wrong or not allowed; the message says why
└── QueryTimeout        retryable with a smaller question or a larger limit
"""


class WarehouseError(Exception):
    """Anything that `warehouse` raises on purpose."""


class WarehouseInUse(WarehouseError):
    """Another process has the file open; DuckDB lets only one."""


class WrongSalt(WarehouseError):
    """The file was loaded with another salt than the project's."""


class SchemaTooNew(WarehouseError):
    """The file was written by a later version."""


class DecoderDied(WarehouseError):
    """The decoder process ended again and again on the same batch."""


class WriteFailed(WarehouseError):
    """A transaction was undone; nothing of it remains, and it can be tried again."""


class NoSuchPerson(WarehouseError):
    """Nobody is named so, or more than one person is; the message says how to find one."""


class CannotAct(WarehouseError):
    """An operator's act names what is not there, or would do nothing; the message says what could be done."""


class BadSql(WarehouseError):
    """A statement that is wrong, or that analysts may not run."""


class QueryTimeout(WarehouseError):
    """A statement ran longer than its limit and was stopped."""
