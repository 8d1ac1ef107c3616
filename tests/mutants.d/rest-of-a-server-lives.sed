# test: corners
# file: driver/server.c
s/kill_pid(task_tgid(task), SIGKILL, 1)/send_sig(SIGKILL, task, 1)/
