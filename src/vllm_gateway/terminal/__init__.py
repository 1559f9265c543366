"""What people use in a terminal. Guests: they know the gateway by its HTTP API only.

* `api/` asks a gateway and reads what it says, streams too.
* `ask/` asks one question and prints the answer.
* `chat/` is the chat, with Textual.
* `settings` reads the user's `terminal.toml`, `keys` knows which key does what.
"""
