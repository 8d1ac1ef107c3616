# test: lateness
# file: driver/tick.c
/^static bool ubdx_task_dies/,/^}/{
s/return ubdx_task_exits(task).*/return ubdx_task_exits(task);/
/__fatal_signal_pending/d
}
