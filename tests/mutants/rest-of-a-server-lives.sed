# test: server-processes
# file: driver/server.c
s/kill_pid(task_tgid(process), SIGKILL, 1)/send_sig(SIGKILL, process, 1)/
