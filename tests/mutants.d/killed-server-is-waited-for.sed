# test: lateness
# file: driver/tick.c
s/(ubdx_task_dies(sq->task) || ubdx_batch_is_late(sq, limit))/ubdx_batch_is_late(sq, limit)/
