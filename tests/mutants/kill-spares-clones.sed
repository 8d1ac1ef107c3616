# test: server-processes
# file: driver/server.c
s/!ubdx_process_has_mm(process, srv->mm)/& || task_tgid(process) != srv->tgid/
