"""One front door for one or many vLLM servers.

The nouns, and how they meet:

* a **caller** asks for something;
* an **exchange** is the whole of one request, from the first byte read to the last byte written;
* a **route** is a name for the replicas behind one model;
* a **replica** is one vLLM server, a **pool** is all of them;
* a **choice** says which replica answers an exchange, and why;
* an **outcome** says how the exchange ended: one word of a closed list.

`pipeline.py` tells the story; `docs/architecture.md` is the map.
"""

__version__ = "0.1.0.dev0"
