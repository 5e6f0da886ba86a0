"""What nobody who gives a checkpoint, data, a recipe or a run can do.

`test_code`: lines 1 to 4, nothing of others is run. `test_origin`: line 5, what weights were used is known.
`test_secrets`: lines 6 and 7, recipes hold no bombs and no tokens, and tokens are shown nowhere.
`test_places`: lines 9 to 11, where files go, and what is read of them. `test_network`: lines 12 and 13.
"""
