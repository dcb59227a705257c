"""The suspects of notebook 13's exercises are what their kind says, and the doctor finds it first."""

import pytest
import torch
from helpers import generators

from mmsa_utils.exercises.museum import SUSPICIONS
from mmsa_utils.inspection.case import case_of
from mmsa_utils.inspection.inspection import CHECKS, looked_at
from mmsa_utils.inspection.suspects import KINDS, kind_of, suspect

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_ill_check_is_the_one_of_the_kind(kind):
    number = next(number for number in range(1000) if kind_of(number) == kind)
    model, batch = suspect(number)
    case = case_of(model, [batch])
    ill = [name for name in SUSPICIONS if looked_at(name, case).verdict == "ill"]
    assert [*ill, "nothing"][0] == KINDS[kind], ill


def test_the_suspicions_stand_in_the_order_of_the_checks():
    assert list(SUSPICIONS) == [name for name in CHECKS if name in SUSPICIONS]
    assert {check for check in KINDS.values() if check != "nothing"} == set(SUSPICIONS)


def test_a_number_is_always_the_same_suspect():
    before = generators()
    (one, posts), (other, again), (_, others) = suspect(3), suspect(3), suspect(4)
    assert generators() == before
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values()))
    assert all(torch.equal(posts[name], again[name]) for name in posts)
    assert not torch.equal(posts["pixel_values"], others["pixel_values"])
    assert len({kind_of(number) for number in range(200)}) == len(KINDS)


@pytest.mark.parametrize("number", [-1, 1.0, "3", True, None])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(ValueError, match="expected a whole number"):
        suspect(number)
