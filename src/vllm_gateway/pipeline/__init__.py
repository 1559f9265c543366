"""The story of an exchange, and the two longer ones: a turn of a session, and a response that is kept.

* `story`: admitted, understood, answered, closed with its outcome
* `sending`: routed and relayed
* `turn`: what was said before is added, what was answered is kept
* `response`: the same for the Responses API
* `held`: the end of an answer waits until what it promises is true
"""
