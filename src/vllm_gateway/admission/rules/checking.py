"""All rules on what may be asked, in one place and in the order in which they are cheapest."""

from vllm_gateway import codec
from vllm_gateway.admission.rules.fields import Fields
from vllm_gateway.admission.rules.formats import Formats
from vllm_gateway.admission.rules.media import Media
from vllm_gateway.admission.rules.owned import Owned
from vllm_gateway.admission.rules.shape import check_members
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.model import Settings


class Rules:
    """What may be asked."""

    def __init__(self, settings: Settings) -> None:
        self._checks = (
            Owned(settings.rules).check,
            Fields(settings.rules, settings.limits).check,
            Formats(settings.rules, settings.limits).check,
            Media(settings.rules).check,
        )

    def check(self, asked: Asked, sent: bytes | None = None) -> None:
        """Refuse what breaks a rule.

        Args:
            asked: What is asked.
            sent: The body as the caller sent it, where `asked` was made of it.

        Raises:
            Refusal: it breaks one; what is said names the field.
        """
        if sent is None or sent is asked.body:
            if asked.body:
                check_members(asked.body, asked.fields)
        else:
            check_members(sent, codec.loads(sent) if asked.sent is None else asked.sent)
        for check in self._checks:
            check(asked)
