"""`doctor`: looks at everything that a gateway needs, and says of each what is wrong and what to do.

* `finding`: what one look has found
* `machine`, `files`, `opened`, `extras`: this machine
* `ports`, `replicas`, `stores`: what is reached over the network
* `examining`: all of it, in order
* `report`: as lines, and as JSON
"""
