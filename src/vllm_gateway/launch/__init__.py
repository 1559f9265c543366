"""`up`: models are started by vLLM, and a gateway in front of them; all of it is watched over until it is told to stop.

* `wishes`: what the user asked for
* `plan`: which engine runs where, pure
* `command`: what an engine, and the gateway, is started with
* `door`: whether the gateway will start with its settings, before anything does
* `child`: a program that is started again when it ends
* `engine`: one engine: started, awaited, put to sleep
* `running`: all of them, in order
"""
