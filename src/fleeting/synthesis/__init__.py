"""Portraits and a plan come in, films with exact truth go out.

`face` moves the face, `clip` films it, `render` and `truth` write both; `plan` and `film_plan` draw what happens.
`inject` puts movements into a real film, `flow` gives pairs with exact flow, `demo` is the demonstration's film. Start
with `clip`.
"""
