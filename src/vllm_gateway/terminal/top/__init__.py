"""`vllm-gateway top`: what a fleet does, live.

`feed` asks the admin routes, `picture` is what they say at one moment, `view` what of it is to be seen and in which
order. `boxes/` paint that as lines of text; `app` shows them with Textual, `once` prints one picture.
"""
