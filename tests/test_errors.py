"""The tree of errors: whose fault, which status, which outcome."""

import re

import pytest

from vllm_gateway import errors
from vllm_gateway.errors import Failure, GatewayError, MethodWrong, ModelAmbiguous, Refusal, ReplicaRefused
from vllm_gateway.outcomes import Outcome

_DRAWN = re.compile(r"^    (?P<branch>[│ ├└─]*)(?P<name>[A-Z]\w+) +(?P<status>\d{3}|4xx)?", re.MULTILINE)


def below(error: type[GatewayError]) -> list[type[GatewayError]]:
    """Return every class below one, in the order of writing."""
    return [each for child in error.__subclasses__() for each in (child, *below(child))]


def drawn() -> dict[str, tuple[str, str]]:
    """Return the tree of the docstring: for each name its parent and its status."""
    parents: dict[int, str] = {}
    tree = {}
    for line in _DRAWN.finditer(errors.__doc__ or ""):
        depth = len(line["branch"]) // 4
        parents[depth] = line["name"]
        tree[line["name"]] = (parents.get(depth - 1, "GatewayError"), line["status"] or "")
    return tree


def test_the_drawing_is_the_tree() -> None:
    """The docstring names every error, below its parent and with its status, and no other."""
    leaves = [error for error in below(GatewayError) if error not in {Refusal, Failure}]
    coded = {
        error.__name__: (
            error.__mro__[1].__name__,
            "4xx" if error is ReplicaRefused else str(int(error.status)),
        )
        for error in leaves
    }
    assert {name: found for name, found in drawn().items() if name not in {"Refusal", "Failure"}} == coded


@pytest.mark.parametrize("error", below(Refusal))
def test_a_refusal_blames_the_request(error: type[Refusal]) -> None:
    """Its status says so, and it counts as the caller's fault."""
    assert 400 <= error.status < 500
    assert error.outcome in {Outcome.BAD_REQUEST, Outcome.AUTH, Outcome.REFUSED_LIMIT}


@pytest.mark.parametrize("error", below(Failure))
def test_a_failure_does_not_blame_the_request(error: type[Failure]) -> None:
    """Its status says that something behind the gateway's door went wrong, and no failure counts as a success."""
    assert 500 <= error.status < 600
    assert error.outcome not in {Outcome.OK, Outcome.OK_RETRIED, Outcome.CLIENT_GONE}


def test_each_error_has_its_own_code() -> None:
    """A program can tell errors apart without reading sentences; only the root shares its code, with its one cause.

    And a model that several routes serve is one that is not found: clients know one code for a wrong name.
    """
    codes = [error.code for error in below(GatewayError) if error not in {Refusal, Failure, ModelAmbiguous}]
    assert len(set(codes)) == len(codes)


def test_an_error_is_its_sentence() -> None:
    """What is raised is what the caller reads, with the field to blame and the time to wait."""
    error = errors.FieldInvalid("'n' is too large.", param="n", retry_after_s=2)
    assert (str(error), error.message, error.param, error.retry_after_s) == ("'n' is too large.", str(error), "n", 2)
    assert errors.BodyMalformed("No.").param is None
    assert errors.BodyMalformed("No.").retry_after_s is None


def test_a_replicas_refusal_keeps_its_status() -> None:
    """The status belongs to the one refusal, not to the class."""
    assert ReplicaRefused("Too many.", status=429, param=None, retry_after_s=3).status == 429
    assert ReplicaRefused("Why?", status=422, param="messages").status == 422
    assert ReplicaRefused.status == 400


def test_a_wrong_method_says_which_are_right() -> None:
    """The `Allow` header needs them."""
    assert MethodWrong("No.", allowed="POST, GET").allowed == "POST, GET"
