# test: batches
# file: driver/end.c
s/return batch->nr >= UBDX_BATCH_REQUESTS ||/return batch->nr >= UBDX_MAX_DEPTH ||/
