"""The error tree: one root, one exit code a class, a message and a hint."""

import pytest

from hometone_shared import errors
from hometone_shared.errors import DamagedVaultError, HometoneError, StorageError, VaultError, WrongSecretError

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, HometoneError)]


def test_every_class_has_an_exit_code_of_its_own():
    codes = [cls.exit_code for cls in CLASSES]
    assert sorted(codes) == list(range(1, 16))


@pytest.mark.parametrize("cls", CLASSES)
def test_message_and_hint_are_kept(cls):
    error = cls("the disk is full", hint="free some space")
    assert (str(error), error.message, error.hint) == ("the disk is full", "the disk is full", "free some space")
    assert cls("x").hint == ""


def test_the_tree_is_as_drawn():
    assert {cls for cls in CLASSES if cls.__base__ is VaultError} == {WrongSecretError, DamagedVaultError, StorageError}
    assert errors.TakeRejectedError.__base__ is errors.AudioError
    drawn = errors.__doc__
    assert all(cls.__name__ in drawn for cls in CLASSES)


def test_an_error_that_is_kept_lets_go_of_what_it_was_raised_through():
    def failing(typed):
        try:
            int(typed)
        except ValueError as error:
            raise errors.UsageError("this is not a number") from error

    try:
        failing("a secret")
    except errors.UsageError as error:
        kept = error
    assert kept.alone() is kept
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)
    assert kept.message == "this is not a number"
