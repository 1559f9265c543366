"""What may be asked, and what is changed on the way to a replica.

* `checking`: all rules together
* `shape`: names that come twice, and bodies of too many members
* `owned`: fields that are taken out, and fields that must be allowed
* `fields`: bounds on numbers, words and lists
* `formats`: bounds on schemas, patterns and tools
* `media`: what a replica would have to fetch
* `outgoing`: the body for a replica
* `billing`: the line that Claude Code begins with
"""
