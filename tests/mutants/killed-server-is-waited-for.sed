# test: lateness
# file: driver/tick.c
s/&& ubdx_task_dies(srvq->task))/\&\& false)/
