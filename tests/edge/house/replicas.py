"""Replicas that only say what they serve."""

from tests.scripted import Play, Visit


def serving(*ids: str, length: int = 4096) -> Play:
    """Return a replica that serves these models and says no more."""

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            if request.startswith(b"GET /health"):
                await visit.say_json(b"")
                continue
            rows = ",".join(
                f'{{"id":"{model}","object":"model","created":1795219840,"owned_by":"vllm","root":"org/{model}",'
                f'"parent":null,"max_model_len":{length},"permission":[]}}'
                for model in ids
            )
            await visit.say_json(f'{{"object":"list","data":[{rows}]}}'.encode())

    return play
