"""`connect`: how a client program is told to use a gateway.

* `place`: the gateway as a client sees it
* `snippet`: what to put where
* `coding`, `chatting`, `coded`: the clients, by what people do with them
* `clients`: all of them by name
* `writing`: a snippet as a file
"""
