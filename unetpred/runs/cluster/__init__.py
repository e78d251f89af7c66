"""Long runs on a cluster: Dask's scheduler hands out the batches, one sink keeps the rows.

`connect` finds or starts a cluster, `run` keeps it busy and puts the rows in order, `worker` is
what happens over there, `packing` is what travels. Nothing else of the package knows of Dask.
"""
