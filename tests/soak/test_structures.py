"""Ten thousand structures with one field bent, or two, to each decoder.

The seed is printed with each run. `make soak ARGS="-k structures"`.
"""

import pytest

from structures.bend import fuzz
from structures.test_structures import STRUCTURES

pytestmark = pytest.mark.soak

EXAMPLES = 10_000


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_bent_field_is_a_clean_error_or_a_value(name: str) -> None:
    fuzz(STRUCTURES[name], EXAMPLES)
