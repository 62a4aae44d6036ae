"""Job kind `import`: labels that another tool found, written beside ours.

`csv_rows` reads a table strictly, `netdissect` and `clip_dissect` know what the columns of these tools mean.
"""
