"""A timeline and its pictures come in, one HTML page that needs nothing else goes out.

Start with `build.build_report`; `curves` and `pictures` pack what the page draws, `wording` has its sentences.
`methods` writes the paragraph that a paper needs of its results.
"""
