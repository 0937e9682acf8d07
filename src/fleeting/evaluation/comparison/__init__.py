"""Folders of benchmarks come in, tables with intervals and paired tests go out.

`compare` joins the predictions, `significance` tests, `tables` and `page` show. Start with `compare`.
"""
