# test: rings
# file: driver/chan.c
/^\/\* Step 3 of an abort/i\
static void ubdx_attach_gone(struct io_uring_cmd *cmd, unsigned int issue_flags, bool cancel)\
{\
	ubdx_cmd_done(cmd, -ENODEV, issue_flags);\
}\
UBDX_TASK_WORK(ubdx_attach_gone)\

s/^\tqueue_work(ubdx_detach_wq, &srvq->detach_work);/\tio_uring_cmd_complete_in_task(srvq->attach_taken, ubdx_attach_gone_tw);/
