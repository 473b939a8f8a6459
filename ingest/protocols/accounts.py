"""Accounts that a message names: reading them where clients write them, and where a project's rules look for them.

Three property names need no rules: `$accounts` (account type to id, or to a list of ids) on anything, and on group
messages `$account_type` (the type of the id that it names) and `$leave` (the person leaves instead of joining).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ingest.errors import Unreadable
from ingest.identity.rules import DEFAULT_ACCOUNT_TYPES, AccountType
from ingest.message import DEFAULT_ACCOUNT_TYPE, Account, Message
from ingest.protocols.values import id_text

ACCOUNTS, ACCOUNT_TYPE, LEAVE = "$accounts", "$account_type", "$leave"
_GROUP_PROPERTIES = (ACCOUNTS, ACCOUNT_TYPE, LEAVE)
# Properties of persons and items stand beside those of accounts, under these names.
_TAKEN_NAMES = frozenset({"person", "item"})


class Named(NamedTuple):
    """The accounts that a message names: the one of the default type that it belongs to, and all others."""

    account_id: str | None
    accounts: tuple[Account, ...] = ()


class NamedByGroup(NamedTuple):
    """What a group message says: accounts, whether its person leaves them, and the properties of the account."""

    named: Named
    is_leave: bool
    properties: dict[str, Any]


def take_accounts(properties: dict[str, Any], account_id: str | None, accounts: Sequence[Account] = ()) -> Named:
    """What `$accounts` names, beside what else the message does; the property is taken out."""
    return named_beside(account_id, [*accounts, *read_accounts(properties.pop(ACCOUNTS), ACCOUNTS)])


def read_group(properties: dict[str, Any], account_id: str | None, accounts: Sequence[Account] = ()) -> NamedByGroup:
    """What a group message names by its id, beside `accounts`, under the type that its properties give the id."""
    if not any(name in properties for name in _GROUP_PROPERTIES):
        return NamedByGroup(named_beside(account_id, accounts), False, properties)
    named = list(accounts)
    if ACCOUNT_TYPE in properties and account_id is not None:
        named.insert(0, Account(_checked_type(properties[ACCOUNT_TYPE], ACCOUNT_TYPE), account_id))
        account_id = None
    if ACCOUNTS in properties:
        named += read_accounts(properties[ACCOUNTS], ACCOUNTS)
    is_leave = properties.get(LEAVE, False)
    if not isinstance(is_leave, bool):
        raise Unreadable("unreadable_message", f"{LEAVE} is {is_leave!r:.99}: send true where the person leaves")
    rest = {name: value for name, value in properties.items() if name not in _GROUP_PROPERTIES}
    return NamedByGroup(named_beside(account_id, named), is_leave, rest)


def read_accounts(value: Any, what: str) -> list[Account]:
    """Accounts from an object of type to id, or to a list of ids; raises `Unreadable` for anything else."""
    if not isinstance(value, dict):
        raise Unreadable("unreadable_message", f'{what} is {value!r:.99}: send an object such as {{"family": "F1"}}')
    found = list[Account]()
    for name, ids in value.items():
        account_type = _checked_type(name, what)
        for each in ids if isinstance(ids, list) else (ids,):
            account_id = id_text(each)
            if account_id is None and each is not None:
                raise Unreadable("unreadable_message", f"{what}: {each!r:.99} is no id of a {account_type}")
            if account_id is not None:
                found.append(Account(account_type, account_id))
    return found


def _checked_type(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or value in _TAKEN_NAMES:
        raise Unreadable(
            "unreadable_message", f"{what}: {value!r:.99} is no account type; name one such as school, class or family"
        )
    return value.strip()


def named_beside(account_id: str | None, accounts: Iterable[Account]) -> Named:
    """The account id and the accounts, each once; without an account id, the first of the default type becomes it."""
    others = list[Account]()
    for account in accounts:
        if account.account_type == DEFAULT_ACCOUNT_TYPE and account_id in (None, account.account_id):
            account_id = account.account_id
        elif account not in others:
            others.append(account)
    return Named(account_id, tuple(others))


def with_accounts(messages: list[Message], types: Sequence[AccountType]) -> list[Message]:
    """The messages of a record with the accounts that their properties name; what the default types say was read."""
    return messages if types == DEFAULT_ACCOUNT_TYPES else [accounts_of(each, types) for each in messages]


def accounts_of(message: Message, types: Sequence[AccountType]) -> Message:
    """The message with the accounts that its properties name under a project's account types, the default one first.

    What names an account outright (a field, `$accounts`) stands before what a property names.
    """
    properties: Mapping[str, Any] = message.properties if message.change is None else message.change.properties
    own_name = types[0].name
    found = [
        Account(DEFAULT_ACCOUNT_TYPE, each.account_id) if each.account_type == own_name else each
        for each in message.accounts
    ]
    for number, account_type in enumerate(types):
        name = account_type.name if number else DEFAULT_ACCOUNT_TYPE
        for each in account_type.properties:
            value = properties.get(each)
            ids = map(id_text, value if isinstance(value, list) else (value,))
            found += [Account(name, account_id) for account_id in ids if account_id is not None]
    if not found:
        return message
    named = named_beside(message.account_id, found)
    if named == (message.account_id, message.accounts):
        return message
    return msgspec.structs.replace(message, account_id=named.account_id, accounts=named.accounts)
