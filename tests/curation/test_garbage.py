"""The garbage collector rests during a block, and works again after it, whatever happens inside."""

import gc

import pytest

from curation.garbage import collector_paused


def test_it_rests_and_works_again() -> None:
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled(), "the outer block goes on"
    assert gc.isenabled()


def test_it_works_again_after_an_error() -> None:
    @collector_paused()
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert gc.isenabled()


def test_who_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
